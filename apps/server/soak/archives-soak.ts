import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKmsClient, isKmsClientError, type KmsClient } from '@kms/client'
import { heldUpload } from './held-upload.ts'
import { pause } from './pause.ts'
import { createProcessMeter } from './process-meter.ts'
import { createSoakRandom } from './soak-random.ts'
import { type SoakServer, startSoakServer } from './soak-server.ts'

export interface ArchivesSoakOptions {
  /** The built server. */
  readonly server: string
  readonly keys: number
  readonly kills: number
  readonly seed: number
  readonly log: (line: string) => void
}

export interface ArchivesSoakReport {
  readonly seed: number
  readonly bytes: number
  readonly backupSeconds: number
  readonly restoreSeconds: number
  /** Most memory of the server, in MiB: before, with a backup, with a restore into an empty place. */
  readonly memory: Readonly<Record<'idle' | 'backup' | 'restore', number>>
  readonly kills: number
  /** Restores that were cut off, and of those the ones that took place all the same. */
  readonly cutOff: number
  readonly happened: number
  /** Backups that were cut off; what came of them was offered for a restore, and refused. */
  readonly broken: number
  /** What was wrapped and does not open, was half done, or left behind. */
  readonly problems: readonly string[]
  readonly seconds: number
}

interface Envelope {
  readonly ciphertext_blob: string
  readonly plaintext_key: string
}

/** Envelopes that are opened after each kill. */
const SAMPLE = 200
const WIDTH = 16

/** Backs up and restores a store of many keys while the server is killed, again and again: all of it happens, or nothing. */
export async function soakArchives(options: ArchivesSoakOptions): Promise<ArchivesSoakReport> {
  const { keys, kills, seed, log } = options
  const startedAt = performance.now()
  const random = createSoakRandom(seed)
  const folder = mkdtempSync(join(tmpdir(), 'kms-soak-'))
  const [data, keyDir] = [join(folder, 'data'), join(folder, 'keys')]
  const environment = { KMS_DATA_DIR: data, KMS_BACKUP_KEY: Buffer.alloc(32, 5).toString('base64') }
  let running: SoakServer | undefined
  let client: KmsClient | undefined
  const problems: string[] = []

  async function start(): Promise<KmsClient> {
    client?.close()
    running = await startSoakServer(options.server, environment)
    client = clientOf(running)
    return client
  }

  /** Kills the server after so long; resolves once it is gone. */
  async function killAfter(milliseconds: number): Promise<void> {
    await pause(milliseconds)
    await running?.kill()
  }

  function expectTidy(when: string): void {
    const left = readdirSync(keyDir).filter((name) => name !== 'keys' && name !== 'store.json')
    const incoming = readdirSync(join(data, 'incoming')).filter((name) => name.startsWith('incoming-'))
    if (left.length + incoming.length > 0) problems.push(`${when}: left behind: ${[...left, ...incoming].join(' ')}`)
  }

  try {
    let kms = await start()
    await kms.call('configure', { body: { backend_type: 'local', key_dir: keyDir, default_key_id: 'key-0' } })
    await kms.call('start')
    const envelopes = await makeKeys(kms, keys)
    log(`${keys} keys made, seed ${seed}`)
    const meter = createProcessMeter((running as unknown as SoakServer).pid)
    const idle = meter.peakMebibytes()
    meter.forgetPeak()
    const backup = await timed(() => receive(kms))
    const archive = backup.value
    const backupMemory = meter.peakMebibytes()
    log(`archive of ${archive.length} bytes in ${backup.seconds.toFixed(1)} s`)

    await running?.kill()
    emptyPlace(keyDir)
    kms = await start()
    const restoreMeter = createProcessMeter((running as unknown as SoakServer).pid)
    const restore = await timed(() => kms.restore(heldUpload(archive)))
    if (restore.value.restored !== keys) problems.push(`${restore.value.restored} of ${keys} keys were restored`)
    const memory = { idle, backup: backupMemory, restore: restoreMeter.peakMebibytes() }
    log(`restored in ${restore.seconds.toFixed(1)} s`)
    await kms.call('start')
    await expectOpen(kms, envelopes, 'after the first restore', problems)

    let [cutOff, happened, broken] = [0, 0, 0]
    for (let kill = 1; kill <= kills; kill++) {
      const what = random.pick(['empty', 'empty', 'damaged', 'damaged', 'backup'] as const)
      const when = `kill ${kill} (${what})`
      if (what === 'backup') {
        const [cut] = await Promise.all([receive(kms, true), killAfter(random.fraction() * backup.seconds * 1000)])
        kms = await start()
        if (cut.length < archive.length) {
          broken++
          const end = await kms.restore(heldUpload(cut)).catch((error: unknown) => error)
          if (!isKmsClientError(end, 'ArchiveDamaged')) problems.push(`${when}: half an archive was taken`)
        }
        continue
      }
      if (what === 'empty') {
        await running?.kill()
        emptyPlace(keyDir)
        kms = await start()
      } else damage(keyDir, random.fraction)
      const begunAt = performance.now()
      const restoring = { over: false }
      const ending = kms
        .restore(heldUpload(archive))
        .then(
          () => true,
          () => false,
        )
        .finally(() => {
          restoring.over = true
        })
      // At any time, and as often in the middle of what follows the decision.
      const atDecision = random.fraction() < 0.5
      const moment = random.fraction() * restore.seconds * 1000
      while (!restoring.over && (atDecision ? !isDecided(keyDir) : performance.now() - begunAt < moment)) await pause(1)
      await running?.kill()
      const done = await ending
      kms = await start()
      if (!done) cutOff++
      const again = await kms.restore(heldUpload(archive)).catch((error: unknown) => error)
      if (again instanceof Error) {
        problems.push(`${when}: ${again.message}`)
        break
      }
      const { restored, repaired, unchanged } = again as { restored: number; repaired: number; unchanged: number }
      if (unchanged === keys && !done) happened++
      // In an empty place it is all of them or none.
      if (what === 'empty' && restored !== keys && unchanged !== keys)
        problems.push(`${when}: half done: ${restored} restored, ${repaired} repaired, ${unchanged} unchanged`)
      await kms.call('start')
      await expectOpen(kms, sampleOf(envelopes, random.below), when, problems)
      expectTidy(when)
    }
    await expectOpen(kms, envelopes, 'in the end', problems)
    const seconds = (performance.now() - startedAt) / 1000
    const times = { backupSeconds: backup.seconds, restoreSeconds: restore.seconds, seconds }
    return { seed, bytes: archive.length, memory, kills, cutOff, happened, broken, problems, ...times }
  } finally {
    client?.close()
    await running?.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

function clientOf({ url }: SoakServer): KmsClient {
  return createKmsClient({ endpoint: url, credentials: { accessKeyId: 'admin', secretAccessKey: 'admin' }, retries: 0 })
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly seconds: number }> {
  const startedAt = performance.now()
  const value = await work()
  return { value, seconds: (performance.now() - startedAt) / 1000 }
}

/** Makes keys of one to three versions; an envelope of each version. */
async function makeKeys(kms: KmsClient, count: number): Promise<readonly Envelope[]> {
  const envelopes: Envelope[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const key_id = `key-${i}`
      if (i > 0) await kms.call('createKey', { body: { key_name: key_id, description: `number ${i}` } })
      for (let version = 1; version <= 1 + (i % 3); version++) {
        if (version > 1) await kms.call('rotateKey', { body: { key_id } })
        envelopes.push(await kms.call('generateDataKey', { body: { key_id } }))
      }
    }
  }
  await Promise.all(Array.from({ length: WIDTH }, lane))
  return envelopes
}

/** An archive, or what comes of it. */
async function receive(kms: KmsClient, maybeBroken = false): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of await kms.backup()) chunks.push(chunk)
  } catch (error) {
    if (!maybeBroken) throw error
  }
  return Buffer.concat(chunks)
}

function emptyPlace(keyDir: string): void {
  rmSync(keyDir, { recursive: true, force: true })
  mkdirSync(keyDir, { mode: 0o700 })
}

/** Removes some of the records, and versions. */
function damage(keyDir: string, fraction: () => number): void {
  const keys = join(keyDir, 'keys')
  for (const name of readdirSync(keys, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.json') && fraction() < 0.05) rmSync(join(keys, name), { force: true })
  }
}

async function expectOpen(
  kms: KmsClient,
  envelopes: readonly Envelope[],
  when: string,
  problems: string[],
): Promise<void> {
  for (const { ciphertext_blob, plaintext_key } of envelopes) {
    const opened = await kms.call('decrypt', { body: { ciphertext_blob } }).catch((error: Error) => error.message)
    if (typeof opened === 'string' || opened.plaintext !== plaintext_key)
      problems.push(`${when}: an envelope does not open: ${typeof opened === 'string' ? opened : 'another plaintext'}`)
  }
}

/** Whether a restore that is under way was decided on: from then on it takes place. */
function isDecided(keyDir: string): boolean {
  const names = readdirSync(keyDir)
  const [staged] = names.filter((name) => name.startsWith('.restore-'))
  if (staged === undefined) return false
  return names.includes('store.json') && existsSync(join(keyDir, staged, 'journal.json'))
}

function sampleOf(envelopes: readonly Envelope[], below: (end: number) => number): readonly Envelope[] {
  return Array.from({ length: SAMPLE }, () => envelopes[below(envelopes.length)] as Envelope)
}
