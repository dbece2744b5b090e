import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServerKey, Secret } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findBackupKey, findServerKeys, type ServerKeysOptions } from './server-keys.ts'

const ONE = Buffer.alloc(32, 1)
const TWO = Buffer.alloc(32, 2)
const idOf = (bytes: Buffer): string => createServerKey(bytes).id

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kms-server-key-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function find(settings: ServerKeysOptions['settings'] = {}) {
  return findServerKeys({ settings, dataDirectory: folder, stateDirectory: join(folder, 'state') })
}

function put(path: string, content: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true })
  writeFileSync(join(folder, path), content)
}

/** As formats §4 writes it: 0x01, the id of the key, a nonce, the ciphertext. */
function sealedUnder(key: Buffer): string {
  const bytes = Buffer.concat([Buffer.of(1), Buffer.from(idOf(key), 'hex'), Buffer.alloc(40, 9)])
  return JSON.stringify({ config: { master_key: { $sealed: bytes.toString('base64') } } })
}

describe('findServerKeys', () => {
  it('generates a key once, for its owner only, and finds it again', async () => {
    const first = await find()
    expect(first.origin).toBe('generated')
    expect(statSync(join(folder, 'server.key')).mode & 0o777).toBe(0o600)
    const stored = readFileSync(join(folder, 'server.key'), 'utf8')
    expect(stored).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
    expect(idOf(Buffer.from(stored, 'base64'))).toBe(first.keys.current.id)
    const second = await find()
    expect(second.origin).toBe('file')
    expect(second.keys.current.id).toBe(first.keys.current.id)
    expect(readdirSync(folder)).toEqual(['server.key'])
  })

  it('of two servers that generate one, one fails', async () => {
    const results = await Promise.allSettled([find(), find()])
    const kept = idOf(Buffer.from(readFileSync(join(folder, 'server.key'), 'utf8'), 'base64'))
    const ids = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.keys.current.id] : []))
    expect(ids.length).toBeGreaterThan(0)
    expect(new Set(ids)).toEqual(new Set([kept]))
  })

  it.each([
    ['the setting', { KMS_SERVER_KEY: new Secret(ONE.toString('base64')) }, 'KMS_SERVER_KEY'],
    ['a file', { KMS_SERVER_KEY_FILE: 'key' }, 'KMS_SERVER_KEY_FILE'],
    ['a file that ends in CRLF', { KMS_SERVER_KEY_FILE: 'key-crlf' }, 'KMS_SERVER_KEY_FILE'],
  ])('%s wins over server.key, and generates nothing', async (_, settings, origin) => {
    put('key', ONE.toString('base64'))
    put('key-crlf', `${ONE.toString('base64')}\r\n`)
    const file =
      'KMS_SERVER_KEY_FILE' in settings ? { KMS_SERVER_KEY_FILE: join(folder, settings.KMS_SERVER_KEY_FILE) } : settings
    expect((await find(file)).keys.current.id).toBe(idOf(ONE))
    expect(readdirSync(folder)).not.toContain('server.key')
    put('server.key', TWO.toString('base64'))
    const found = await find(file)
    expect(found.origin).toBe(origin)
    expect(found.keys.current.id).toBe(idOf(ONE))
    expect((await find()).keys.current.id).toBe(idOf(TWO))
  })

  it('the previous key stands beside the current one', async () => {
    const found = await find({ KMS_SERVER_KEY_PREVIOUS: new Secret(TWO.toString('base64')) })
    expect(found.keys.previous?.id).toBe(idOf(TWO))
    expect((await find()).keys.previous).toBeUndefined()
  })

  it.each(['state/state.json', 'state/history/0000000003.json', 'state/iam/users.json'])(
    'without a key, a sealed value in %s stops the start and nothing is generated',
    async (path) => {
      put('state/plain.json', '{"$sealed-not": "x"}')
      put(path, sealedUnder(ONE))
      await expect(find()).rejects.toMatchObject({ code: 'ServerKeyMissing' })
      await expect(find()).rejects.toThrow(idOf(ONE))
      await expect(find()).rejects.toThrow(join(folder, 'server.key'))
      expect(readdirSync(folder)).toEqual(['state'])
    },
  )

  it('state without sealed values needs no old key', async () => {
    put('state/state.json', '{"config":{"backend_type":"local"}}')
    put('state/canaries/x.log', sealedUnder(ONE))
    expect((await find()).origin).toBe('generated')
  })

  it.each([
    '',
    'short',
    `${ONE.toString('base64')}x`,
    ` ${ONE.toString('base64')}`,
    `${ONE.toString('base64')}\n\n`,
    ONE.toString('hex'),
  ])('a key file holding %j is refused, whichever it is', async (content) => {
    put('server.key', content)
    await expect(find()).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('server.key is damaged'),
    })
    put('key', content)
    await expect(find({ KMS_SERVER_KEY_FILE: join(folder, 'key') })).rejects.toMatchObject({ exitCode: 2 })
    expect(readFileSync(join(folder, 'server.key'), 'utf8')).toBe(content)
  })

  it('a key file that cannot be read is refused, not replaced', async () => {
    await expect(find({ KMS_SERVER_KEY_FILE: join(folder, 'absent') })).rejects.toMatchObject({ exitCode: 2 })
    expect(readdirSync(folder)).toEqual([])
    mkdirSync(join(folder, 'server.key'))
    await expect(find()).rejects.toMatchObject({ exitCode: 4 })
  })
})

describe('findBackupKey', () => {
  it('is that of the settings, or none', async () => {
    put('key', `${ONE.toString('base64')}\n`)
    expect(await findBackupKey({})).toBeUndefined()
    expect(await findBackupKey({ KMS_BACKUP_KEY: new Secret(TWO.toString('base64')) })).toEqual(TWO)
    expect(await findBackupKey({ KMS_BACKUP_KEY_FILE: join(folder, 'key') })).toEqual(ONE)
  })

  it('that cannot be read stops the start', async () => {
    put('key', 'short')
    for (const name of ['key', 'absent']) {
      const found = findBackupKey({ KMS_BACKUP_KEY_FILE: join(folder, name) })
      await expect(found).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining('KMS_BACKUP_KEY_FILE'),
      })
    }
  })
})
