import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { requireTools } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'
import { type CallOptions, call, type DataKey } from './client.ts'
import { codeOf, expectOpen, type Home, startHome } from './home.ts'
import { plantFields } from './log-check.ts'
import { temporaryFolder } from './server-process.ts'

const run = promisify(execFile)
const PASSPHRASE = 'correct horse battery staple'
const HEADER = 'x-kms-archive-passphrase'
const inHeader = (passphrase: string) => ({ [HEADER]: Buffer.from(passphrase).toString('base64') })

interface Golden {
  readonly realm: string
  readonly passphrase: { readonly passphrase: string }
  readonly envelopes: readonly {
    readonly ciphertext_blob: string
    readonly context: Readonly<Record<string, string>>
    readonly plaintext: string
  }[]
}

const BACKUP_KEY = { KMS_BACKUP_KEY: Buffer.alloc(32, 9).toString('base64') }
/** For archives that the server has the key of. */
const WITHOUT: CallOptions = { headers: {} }

const CURL = ['-sS', '--fail-with-body', '--user', 'admin:admin', '--aws-sigv4', 'aws:amz:us-east-1:s3']

/** Keys of several versions and states; data keys of every version. */
async function makeKeys({ admin }: Home): Promise<DataKey[]> {
  const made: DataKey[] = [await admin.dataKey()]
  for (const key_id of ['orders', 'Invoices', 'a.b_c-d']) {
    await admin.post('keys', { name: key_id, description: `about ${key_id}`, tags: { of: key_id } })
    for (let version = 1; version <= 4; version++) {
      made.push(await admin.dataKey({ key_id }))
      if (version < 4) await admin.post('keys/rotate', { key_id })
    }
  }
  await admin.post('keys/alias', { key_id: 'orders', alias: 'shop' })
  await admin.post('keys/disable', { key_id: 'Invoices' })
  return made
}

/** Backs up with curl, as operators do. */
async function curlBackup({ admin }: Home, file: string, body: object): Promise<void> {
  plantFields(body)
  await run('curl', [...CURL, '-X', 'POST', '-d', JSON.stringify(body), '-o', file, `${admin.kms}/backup`])
}

const restore = (at: Home, archive: Uint8Array, query = '', options: CallOptions = {}) =>
  call(`${at.admin.kms}/restore${query}`, { raw: archive, headers: inHeader(PASSPHRASE), ...options })

/** Every file below a directory, with what is in it. */
function contentsOf(directory: string): Record<string, string> {
  if (!existsSync(directory)) return {}
  return Object.fromEntries(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(directory, name)).isFile())
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(directory, name)))
          .digest('hex'),
      ]),
  )
}

describe('an archive', () => {
  it('makes the store again in an empty directory of another server, and every envelope opens', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys, { master_key: 'the passphrase of the store' })
    const made = await makeKeys(at)
    const file = join(at.folder, 'keys.kmsa')
    await curlBackup(at, file, { passphrase: PASSPHRASE })
    const archive = readFileSync(file)
    const realm = archive.subarray(8, 24).toString('hex')
    expect(archive.subarray(0, 4).toString()).toBe('KMSA')
    for (const text of ['orders', 'Invoices', 'shop']) expect(archive.includes(text)).toBe(false)

    // Another machine, another root key.
    const other = await startHome()
    await other.admin.post('configure', { backend_type: 'local', key_dir: other.keys, default_key_id: 'main' })
    const before = contentsOf(other.folder)
    const rehearsed = await restore(other, archive, '?dry_run=true')
    expect([rehearsed.status, rehearsed.json()]).toMatchObject([
      200,
      { success: true, dry_run: true, realm, restored: 4, versions: 13, conflicts: [], status: 'Configured' },
    ])
    expect(await codeOf(restore(other, archive, '', { headers: inHeader('correct horse') }))).toEqual([
      400,
      'ArchiveKeyMismatch',
    ])
    for (const cut of [0, 100, archive.length - 1])
      expect(await codeOf(restore(other, archive.subarray(0, cut)))).toEqual([400, 'ArchiveDamaged'])
    expect(contentsOf(other.folder)).toEqual(before)
    expect(existsSync(other.keys)).toBe(false)

    // As operators do it: the passphrase in a file of headers, which no list of processes shows.
    const headers = join(other.folder, 'headers')
    writeFileSync(headers, `${HEADER}: ${inHeader(PASSPHRASE)[HEADER]}\n`, { mode: 0o600 })
    const sent = [
      '-X',
      'POST',
      '-H',
      `@${headers}`,
      '-H',
      'content-type: application/octet-stream',
      '--data-binary',
      `@${file}`,
    ]
    const { stdout } = await run('curl', [...CURL, ...sent, `${other.admin.kms}/restore`])
    expect(JSON.parse(stdout)).toMatchObject({ success: true, dry_run: false, restored: 4, versions: 13 })
    await other.admin.post('start')
    await expectOpen(other.admin, ...made)
    const { key_metadata } = (await other.admin.get('keys/shop')).json()
    expect(key_metadata).toMatchObject({
      key_id: 'orders',
      current_version: 4,
      description: 'about orders',
      tags: { of: 'orders' },
    })
    expect((await other.admin.get('keys/Invoices')).json()).toMatchObject({ key_metadata: { key_state: 'Disabled' } })
    expect(readdirSync(other.keys).sort()).toEqual(['keys', 'store.json'])
    expect(contentsOf(join(other.folder, 'data', 'incoming'))).toEqual({})
    // It goes on from there, across a restart.
    await other.admin.post('keys/rotate', { key_id: 'orders' })
    const later = await other.admin.dataKey({ key_id: 'orders' })
    await other.restart()
    await expectOpen(other.admin, later, ...made)
  })

  it('repairs the running store it was made of, and is refused by another one', async () => {
    const key = join(temporaryFolder(), 'backup.key')
    writeFileSync(key, `${BACKUP_KEY.KMS_BACKUP_KEY}\n`, { mode: 0o600 })
    const at = await startHome({ KMS_BACKUP_KEY_FILE: key })
    await at.admin.begin(at.keys)
    const made = await makeKeys(at)
    const file = join(at.folder, 'keys.kmsa')
    await curlBackup(at, file, {})
    const archive = readFileSync(file)
    rmSync(join(at.keys, 'keys', 'orders.json'))
    rmSync(join(at.keys, 'keys', 'a.b_c-d.versions', '2.json'))
    await at.admin.post('clear-cache')
    await expect(expectOpen(at.admin, ...made)).rejects.toThrow(/40\d|50\d/)
    expect(await codeOf(restore(at, archive, '', WITHOUT))).toEqual([200, undefined])
    await expectOpen(at.admin, ...made)
    expect((await restore(at, archive, '', WITHOUT)).json()).toMatchObject({ unchanged: 4, restored: 0, versions: 0 })

    const other = await startHome({ KMS_BACKUP_KEY_FILE: key })
    await other.admin.begin(other.keys)
    const before = contentsOf(other.keys)
    for (const query of ['', '?conflict=skip', '?conflict=overwrite', '?dry_run=true'])
      expect(await codeOf(restore(other, archive, query, WITHOUT))).toEqual([409, 'ForeignArchive'])
    expect(contentsOf(other.keys)).toEqual(before)
  })

  it('is restored with awscurl, too', async ({ skip }) => {
    const bin = requireTools(findAwscurl(), skip)
    const at = await startHome(BACKUP_KEY)
    await at.admin.begin(at.keys)
    const key = await at.admin.dataKey()
    const file = join(at.folder, 'keys.kmsa')
    await curlBackup(at, file, {})
    rmSync(join(at.keys, 'keys', 'main.json'))
    const sent = ['--service', 's3', '--access_key', 'admin', '--secret_key', 'admin', '-X', 'POST', '--data-binary']
    const { stdout } = await run(join(bin, 'awscurl'), [...sent, '-d', `@${file}`, `${at.admin.kms}/restore`])
    expect(JSON.parse(stdout)).toMatchObject({ success: true, restored: 1 })
    await expectOpen(at.admin, key)
  })

  it('that others wrote by the description of the format is restored, and its envelopes open', async () => {
    const vectors = new URL('../../../packages/core/vectors/archives/', import.meta.url)
    const facts = JSON.parse(readFileSync(new URL('archives.json', vectors), 'utf8')) as Golden
    const at = await startHome()
    await at.admin.post('configure', { backend_type: 'local', key_dir: at.keys, default_key_id: 'master' })
    const { passphrase } = facts.passphrase
    const done = await restore(at, readFileSync(new URL('passphrase.kmsa', vectors)), '', {
      headers: inHeader(passphrase),
    })
    expect(done.json()).toMatchObject({
      realm: facts.realm,
      restored: 3,
      versions: 6,
      tombstones: 1,
      postponed: ['orders'],
    })
    await at.admin.post('start')
    await at.admin.post('keys/cancel-deletion', { key_id: 'orders' })
    for (const { ciphertext_blob, context, plaintext } of facts.envelopes) {
      const opened = await at.admin.post('decrypt', { ciphertext_blob, encryption_context: context })
      expect(opened.json(), opened.text).toMatchObject({ plaintext })
    }
    expect(await codeOf(at.admin.get('keys/old'))).toEqual([404, 'KeyDestroyed'])
  })

  it('brings back a key directory that was lost, under the server that knows it', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    const made = await makeKeys(at)
    const archive = await backupOf(at)
    at.server.kill('SIGKILL')
    await at.server.exited
    rmSync(at.keys, { recursive: true })
    await at.restart()
    expect((await at.admin.status())['status']).toEqual({ Error: expect.stringContaining('not') })
    expect(await codeOf(restore(at, archive))).toEqual([200, undefined])
    await at.admin.post('start')
    await expectOpen(at.admin, ...made)
  })

  it('that is being restored when the server is killed is restored, or not', async () => {
    const at = await startHome(BACKUP_KEY)
    await at.admin.begin(at.keys)
    const made = await makeKeys(at)
    const archive = await backupOf(at, {})
    for (let attempt = 0; attempt < 5; attempt++) {
      at.server.kill('SIGKILL')
      await at.server.exited
      rmSync(at.keys, { recursive: true })
      mkdirSync(at.keys, { mode: 0o700 })
      await at.restart()
      const pending = restore(at, archive, '', WITHOUT).catch(() => undefined)
      // From when it arrives to when it is about done; what stands on disk then differs from run to run.
      await new Promise((resolve) => setTimeout(resolve, 2 + attempt * 9))
      at.server.kill('SIGKILL')
      await pending
      await at.restart()
      const { status } = await at.admin.status()
      if (status !== 'Running') expect(await codeOf(restore(at, archive, '', WITHOUT))).toEqual([200, undefined])
      await at.admin.post('start')
      await expectOpen(at.admin, ...made)
      expect(readdirSync(at.keys).sort()).toEqual(['keys', 'store.json'])
    }
  })
})

async function backupOf(at: Home, body: object = { passphrase: PASSPHRASE }): Promise<Buffer> {
  const file = join(at.folder, 'archive')
  await curlBackup(at, file, body)
  return readFileSync(file)
}
