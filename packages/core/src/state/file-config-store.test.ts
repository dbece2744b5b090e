import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../config/secret.ts'
import { createServerKey, type ServerKeys } from '../seal/server-key.ts'
import { memoryDriver } from '../testing/index.ts'
import { createFileConfigStore } from './file-config-store.ts'
import type { StateDocument } from './state-document.ts'

const driver = memoryDriver()
const keys: ServerKeys = { current: createServerKey(randomBytes(32)) }
const realm = '0'.repeat(31) + '1'

let directory: string
let recovered: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-state-'))
  recovered = []
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function open(serverKeys: ServerKeys = keys) {
  return createFileConfigStore({
    directory,
    drivers: [driver],
    keys: serverKeys,
    random: randomBytes,
    onRecovered: (message) => recovered.push(message),
  })
}

function documentAt(revision: number, changes: Partial<StateDocument> = {}): StateDocument {
  const config = {
    backend_type: 'memory',
    name: 'a',
    endpoint: 'memory://one',
    token: new Secret('s3cret'),
    timeout_seconds: 30,
    retry_attempts: 3,
    enable_cache: true,
    max_cached_keys: 1000,
    cache_ttl_seconds: revision,
    allow_offline_decryption: false,
  }
  return {
    revision,
    etag: `"${revision}-${randomBytes(8).toString('hex')}"`,
    desired: 'running',
    config,
    defaultKey: { name: 'alias', keyId: 'key' },
    active: realm,
    stores: new Map([
      [
        realm,
        {
          driver: 'memory',
          identity: 'a',
          config,
          firstActive: '2026-01-01T00:00:00.000Z',
          lastActive: '2026-01-02T00:00:00.000Z',
        },
      ],
    ]),
    change: {
      time: '2026-01-01T00:00:00.000Z',
      principal: 'root',
      action: 'reconfigure',
      diff: [{ path: 'cache_ttl_seconds', from: revision - 1, to: revision }],
    },
    ...changes,
  }
}

/** A document with its secrets in the clear, comparable. */
function comparable(document: StateDocument | undefined): unknown {
  return JSON.parse(
    JSON.stringify({
      ...document,
      stores: [...(document?.stores ?? [])],
      token: (document?.config['token'] as Secret | undefined)?.reveal(),
    }),
  )
}

async function writeAll(count: number) {
  const store = await open()
  const documents = Array.from({ length: count }, (_, i) => documentAt(i + 1))
  for (const document of documents) await store.save(document, document.revision - 1)
  return documents
}

describe('load and save', () => {
  it('has nothing at first', async () => {
    const store = await open()
    expect(await store.load()).toBeUndefined()
    expect(await store.history()).toEqual([])
    expect((await stat(directory)).mode & 0o077).toBe(0)
  })

  it('gives back what was saved, from another process too', async () => {
    const [, second] = await writeAll(2)
    expect(comparable(await (await open()).load())).toEqual(comparable(second))
  })

  it('keeps files private and secrets sealed', async () => {
    await writeAll(2)
    for (const name of ['state.json', 'state.last-good.json', 'history/0000000001.json']) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600)
      expect(await readFile(join(directory, name), 'utf8')).not.toContain('s3cret')
    }
  })

  it('refuses a save against another revision, and changes nothing', async () => {
    const [, second] = await writeAll(2)
    const store = await open()
    for (const [revision, expected] of [
      [2, 1],
      [4, 3],
      [1, 0],
    ] as const) {
      await expect(store.save(documentAt(revision), expected)).rejects.toMatchObject({ code: 'PreconditionFailed' })
    }
    expect(comparable(await store.load())).toEqual(comparable(second))
  })

  it('keeps the newest 50 revisions that changed the configuration', async () => {
    const documents = await writeAll(53)
    const store = await open()
    const start = documentAt(54, { change: { ...documentAt(54).change, action: 'start', diff: [] } })
    await store.save(start, 53)
    const kept = await store.history()
    expect(kept.map(({ revision }) => revision)).toEqual(documents.slice(3).map(({ revision }) => revision))
    expect(kept[0]?.change).toEqual(documents[3]?.change)
    expect(comparable(await store.revision(4))).toEqual(comparable(documents[3]))
    for (const gone of [3, 54, 99_999_999_999]) expect(await store.revision(gone)).toBeUndefined()
  })

  it('keeps what a change is taken back to, sealed', async () => {
    const store = await open()
    const document = documentAt(1)
    const unconfirmed = {
      deadline: '2026-01-01T00:01:00.000Z',
      config: { ...document.config, token: new Secret('0ld') },
    }
    await store.save({ ...document, unconfirmed }, 0)
    expect(await readFile(join(directory, 'state.json'), 'utf8')).not.toContain('0ld')
    const loaded = await (await open()).load()
    expect(comparable(loaded)).toEqual(comparable({ ...document, unconfirmed }))
    expect((loaded?.unconfirmed?.config['token'] as Secret | undefined)?.reveal()).toBe('0ld')
  })
})

describe('damage', () => {
  it.each<[string, (path: string) => Promise<void>]>([
    ['is truncated', async (path) => writeFile(path, (await readFile(path)).subarray(0, 100))],
    ['is empty', (path) => writeFile(path, '')],
    ['is gone', (path) => rm(path)],
    [
      'has one changed byte',
      async (path) => writeFile(path, (await readFile(path, 'utf8')).replace('"running"', '"runninG"')),
    ],
    ['has text after the checksum', async (path) => writeFile(path, `${await readFile(path, 'utf8')}x`)],
  ])('the current document %s: its last good copy is used, and said so', async (_, damage) => {
    const [, second] = await writeAll(2)
    await damage(join(directory, 'state.json'))
    const store = await open()
    expect(comparable(await store.load())).toEqual(comparable(second))
    expect(recovered).toHaveLength(1)
    await store.save(documentAt(3), 2)
    expect((await (await open()).load())?.revision).toBe(3)
  })

  it('of both copies is an error that names the file, not an empty state', async () => {
    await writeAll(1)
    for (const name of ['state.json', 'state.last-good.json']) await writeFile(join(directory, name), 'x')
    await expect((await open()).load()).rejects.toMatchObject({
      code: 'StoreDamaged',
      message: expect.stringContaining('state.json'),
    })
  })

  it('of the copies only is mended by the next load', async () => {
    const [document] = await writeAll(1)
    await writeFile(join(directory, 'state.last-good.json'), 'x')
    await rm(join(directory, 'history/0000000001.json'))
    const store = await open()
    await store.load()
    expect(await readFile(join(directory, 'state.last-good.json'))).toEqual(
      await readFile(join(directory, 'state.json')),
    )
    expect(comparable(await store.revision(1))).toEqual(comparable(document))
  })

  it('of one old revision hides no other', async () => {
    await writeAll(3)
    await writeFile(join(directory, 'history/0000000002.json'), 'x')
    expect((await (await open()).history()).map(({ revision }) => revision)).toEqual([1, 3])
  })

  it('is not assumed when the format is a newer one', async () => {
    await writeAll(1)
    for (const name of ['state.json', 'state.last-good.json']) {
      const [line = ''] = (await readFile(join(directory, name), 'utf8')).split('\n')
      const newer = line.replace('"format":1', '"format":2')
      const { createHash } = await import('node:crypto')
      await writeFile(join(directory, name), `${newer}\n${createHash('sha256').update(newer).digest('hex')}\n`)
    }
    await expect((await open()).load()).rejects.toMatchObject({ code: 'NewerFormat' })
  })
})

describe('secrets', () => {
  it('do not open under another server key', async () => {
    await writeAll(1)
    const other = { current: createServerKey(randomBytes(32)) }
    await expect((await open(other)).load()).rejects.toMatchObject({
      code: 'ServerKeyMismatch',
      message: expect.stringContaining(keys.current.id),
    })
  })

  it('open under the previous server key and are sealed under the current one by the next save', async () => {
    await writeAll(1)
    const next: ServerKeys = { current: createServerKey(randomBytes(32)), previous: keys.current }
    const store = await open(next)
    const document = (await store.load()) as StateDocument
    await store.save({ ...document, revision: 2 }, 1)
    expect(comparable(await (await open({ current: next.current })).load())).toMatchObject({ token: 's3cret' })
  })

  it('of an old revision that nobody can open any more leave it in the list, and it cannot be returned to', async () => {
    const [first] = await writeAll(1)
    const next: ServerKeys = { current: createServerKey(randomBytes(32)), previous: keys.current }
    await (await open(next)).save(documentAt(2), 1)
    const store = await open({ current: next.current })
    expect((await store.history()).map(({ revision }) => revision)).toEqual([1, 2])
    expect((await store.history())[0]?.change).toEqual(first?.change)
    await expect(store.revision(1)).rejects.toMatchObject({ code: 'ServerKeyMismatch' })
    expect((await store.revision(2))?.revision).toBe(2)
  })

  it('do not open at another address', async () => {
    await writeAll(1)
    const { createHash } = await import('node:crypto')
    const [line = ''] = (await readFile(join(directory, 'state.json'), 'utf8')).split('\n')
    const moved = line.replaceAll('memory://one', 'memory://evil')
    await writeFile(join(directory, 'state.json'), `${moved}\n${createHash('sha256').update(moved).digest('hex')}\n`)
    await rm(join(directory, 'state.last-good.json'))
    await expect((await open()).load()).rejects.toMatchObject({ code: 'StoreDamaged' })
  })
})

describe('writes that fail', () => {
  it('leave the old document and say so', async () => {
    const [first] = await writeAll(1)
    const store = await open()
    // The rename onto a directory fails after the temporary file was written: the commit's last step.
    await rename(join(directory, 'state.json'), join(directory, 'kept'))
    await mkdir(join(directory, 'state.json'))
    await writeFile(join(directory, 'state.json', 'x'), '')
    await expect(store.save(documentAt(2), 1)).rejects.toMatchObject({ code: 'StorageFailed' })
    await rm(join(directory, 'state.json'), { recursive: true })
    await rename(join(directory, 'kept'), join(directory, 'state.json'))
    expect(comparable(await store.load())).toEqual(comparable(first))
    expect((await readdir(directory)).filter((name) => name.startsWith('.tmp-'))).toEqual([])
  })

  it('and were cut off leave temporary files, which the next open removes', async () => {
    await writeAll(1)
    await writeFile(join(directory, '.tmp-state.json-0123'), 'torn')
    await writeFile(join(directory, 'history', '.tmp-1-0123'), 'torn')
    await open()
    expect(
      [...(await readdir(directory)), ...(await readdir(join(directory, 'history')))].filter((name) =>
        name.startsWith('.tmp-'),
      ),
    ).toEqual([])
  })
})
