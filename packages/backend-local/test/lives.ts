import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import {
  type Clock,
  canonicalContext,
  decodeEnvelope,
  envelopeAad,
  type KeyBackend,
  type KmsManager,
  systemClock,
  systemRandom,
} from '@kms/core'
import { expect } from 'vitest'
import { localDriver } from '../src/local-driver.ts'
import { buildChild } from './build-child.ts'
import { documentOf } from './document-of.ts'
import { type Act, afterAct, type OwnKey } from './life-model.ts'
import { boot, caller } from './service.ts'

const SERVERS = 3
/** Between one round and the next, by the clocks of the servers. */
const DAYS = 3
/** Each server is killed within so long after it began. */
const KILL_WITHIN_MS = 1200
/** Rounds between asking for a deletion, which is then seven days away, and the deletion. */
const WINDOW = 3
const AUTOMATIC = ['auto-0', 'auto-1', 'auto-2']
/** Envelopes of earlier rounds that are opened after each one; all of them at the end. */
const SAMPLE = 500

/** How the lives went. */
export interface Lives {
  readonly envelopes: number
  /** Of acts: how often each came of them. */
  readonly counts: ReadonlyMap<string, number>
}

/** Where the servers are, and their program. */
interface Place {
  readonly root: string
  readonly child: string
}

type Line =
  | { readonly doing: Act }
  | { readonly done: Act }
  | { readonly refused: Act; readonly code: string }
  | { readonly keyId: string; readonly version: number; readonly ciphertext: string; readonly plaintext: string }

type Envelope = Extract<Line, { ciphertext: string }> & { readonly round: number }

const asked = { authorize: (): void => {}, caller }
const clockOf = (round: number): Clock => ({
  now: () => Date.now() + round * DAYS * 86_400_000,
  after: systemClock.after,
})

async function runServer({ root, child }: Place, index: number, round: number): Promise<readonly Line[]> {
  const home = join(root, `server-${index}`)
  await mkdir(home, { recursive: true })
  const args = [
    '--disable-warning=DEP0137',
    child,
    home,
    join(root, 'keys'),
    join(root, 'root-keys'),
    `own${index}`,
    String(round * DAYS),
  ]
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  server.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const exit = once(server, 'exit') as Promise<[number | null, string | null]>
  server.stdout.once('data', () => {
    setTimeout(() => server.kill('SIGKILL'), (systemRandom(2).readUInt16BE() / 65_536) * KILL_WITHIN_MS)
  })
  const lines: Line[] = []
  for await (const line of createInterface(server.stdout)) if (line.endsWith('}')) lines.push(JSON.parse(line) as Line)
  const [code, signal] = await exit
  expect(errors).toBe('')
  expect(signal ?? code).toBe('SIGKILL')
  return lines
}

/** The server that looks after each round: of the same store, with a memory of its own, and never killed. */
async function openWitness({ root }: Place, round: number): Promise<KmsManager> {
  const { manager } = await boot(join(root, 'witness'), { clock: clockOf(round), rootKeyDir: join(root, 'root-keys') })
  if (manager.status().status === 'NotConfigured')
    await manager.configure({ backend_type: 'local', key_dir: join(root, 'keys'), default_key_id: 'main' }, caller)
  if (manager.status().status !== 'Running') await manager.start({ force: false }, caller)
  return manager
}

async function openBackend({ root }: Place): Promise<KeyBackend> {
  const driver = localDriver({
    rootKeyDir: join(root, 'root-keys'),
    environment: () => undefined,
    policy: { forbiddenDirs: [] },
  })
  const signal = new AbortController().signal
  const options = { clock: systemClock, random: systemRandom, mayInitialise: false, signal }
  return (await driver.open(documentOf(driver, { key_dir: join(root, 'keys') }), options)).backend
}

/** What is shown of a key, as the model has it. */
async function shown(manager: KmsManager, key: string): Promise<OwnKey | undefined> {
  try {
    const record = await manager.keys.describe({ ...asked, key })
    if (record.state === 'Unavailable') expect.fail(`${key}: ${record.problem}`)
    const { state, stateBeforeDeletion: before, oldestVersion: oldest, currentVersion: current } = record
    const { aliases, description, origin, tags } = record
    const found = { state, oldest, current, aliases, description, origin, tag: tags.get('t') ?? '' }
    return before === undefined ? found : { ...found, before }
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'KeyNotFound') return undefined
    // At which version shows when it is made again.
    if (code === 'KeyDestroyed') return { destroyed: 0 }
    throw error
  }
}

/**
 * Servers of one store that are killed at any moment, round after round, and a witness that looks at it after each: an act on a
 * key happened or did not, nothing acknowledged is lost, what was wrapped opens unless its key was destroyed on purpose, and
 * what is due happens, once.
 */
export async function liveThrough(rounds: number, log: (message: string) => void = () => {}): Promise<Lives> {
  const root = await mkdtemp(join(tmpdir(), 'kms-life-'))
  try {
    return await live({ root, child: await buildChild('life-child', root) }, rounds, log)
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 10 })
  }
}

async function live(place: Place, rounds: number, log: (message: string) => void): Promise<Lives> {
  const own = new Map<string, OwnKey>()
  const deletionRound = new Map<string, number>()
  const lastDestroyed = new Map<string, number>()
  const envelopes: Envelope[] = []
  const counts = new Map<string, number>()
  const count = (what: string): unknown => counts.set(what, (counts.get(what) ?? 0) + 1)
  const startedAt = Date.now()
  const minutes = (): string => ((Date.now() - startedAt) / 60_000).toFixed(1)

  const first = await openWitness(place, 0)
  for (const name of AUTOMATIC) {
    await first.keys.create({ ...asked, name })
    await first.keys.setRotationPeriod({ ...asked, key: name, days: 1 })
  }
  await first.close()

  function noteDone({ type, key }: Act, round: number): void {
    if (type === 'schedule') deletionRound.set(key, round + WINDOW)
    if (type === 'cancel' || type === 'destroy') deletionRound.delete(key)
  }

  /** A worker has destroyed a key, whichever server's. */
  function noteWorker(key: string): void {
    const before = own.get(key)
    deletionRound.delete(key)
    if (before === undefined || 'destroyed' in before) return
    count('destroyed by a worker')
    own.set(key, { destroyed: before.current })
  }

  /** Follows what a server did to its own keys; returns what it was doing when it died. */
  function follow(lines: readonly Line[], round: number): Act | undefined {
    let underWay: Act | undefined
    for (const line of lines) {
      if ('ciphertext' in line) {
        envelopes.push({ ...line, round })
        continue
      }
      const act = 'doing' in line ? line.doing : 'done' in line ? line.done : line.refused
      if ('doing' in line) {
        underWay = act
        // It leaves a key whose time has come to the workers: that it acts on it means that one of them was there.
        if ((deletionRound.get(act.key) ?? round + 1) <= round) noteWorker(act.key)
        if (act.type === 'destroy') lastDestroyed.set(act.key, round)
        if (act.type === 'schedule') lastDestroyed.set(act.key, round + WINDOW)
        continue
      }
      underWay = undefined
      if (!act.key.startsWith('own')) continue
      const after = afterAct(own.get(act.key), act)
      if ('refused' in line) {
        count('refused')
        expect(after, `${act.type} ${act.key} was refused: ${line.code}`).toBeUndefined()
        continue
      }
      count('acknowledged')
      expect(after, `${act.type} ${act.key} was done`).toBeDefined()
      own.set(act.key, after as OwnKey)
      noteDone(act, round)
    }
    return underWay
  }

  /** The whole old state or the whole new one. */
  async function settle(manager: KmsManager, key: string, underWay: Act | undefined, round: number): Promise<void> {
    const old = own.get(key)
    const after = underWay?.key === key ? afterAct(old, underWay) : undefined
    const found = await shown(manager, key)
    const isOld = isDeepStrictEqual(comparable(found), comparable(old))
    if (!isOld) {
      expect(comparable(found), `${key}, while ${JSON.stringify(underWay)}, after ${JSON.stringify(old)}`).toEqual(
        comparable(after),
      )
      own.set(key, after as OwnKey)
      noteDone(underWay as Act, round)
    }
    if (underWay?.key === key) count(isOld ? 'died before it happened' : 'died after it happened')
  }

  async function check(some: readonly Envelope[]): Promise<void> {
    const backend = await openBackend(place)
    for (const { keyId, version, ciphertext, plaintext, round } of some) {
      const { headerBytes, ...parts } = decodeEnvelope(Buffer.from(ciphertext, 'base64'))
      const aad = envelopeAad(headerBytes, canonicalContext(new Map()))
      const opened = await backend.unwrap({ ...parts, aad }).catch((error: { code?: string }) => error.code)
      if (typeof opened === 'object') expect(opened.toString('base64')).toBe(plaintext)
      else {
        expect(['KeyDestroyed', 'KeyMaterialReplaced']).toContain(opened)
        expect(lastDestroyed.get(keyId) ?? -1, `${keyId} ${version} was destroyed on purpose`).toBeGreaterThanOrEqual(
          round,
        )
      }
    }
    await backend.close()
  }

  for (let round = 1; round <= rounds; round++) {
    const lives = await Promise.all(Array.from({ length: SERVERS }, (_, index) => runServer(place, index, round)))
    const dying = lives.map((lines) => follow(lines, round))
    const manager = await openWitness(place, round)
    for (const key of own.keys()) {
      // Those are the worker's, whichever server's it is.
      if ((deletionRound.get(key) ?? round + 1) > round)
        await settle(
          manager,
          key,
          dying.find((act) => act?.key === key),
          round,
        )
    }
    for (const act of dying)
      if (act !== undefined && act.key.startsWith('own') && !own.has(act.key))
        await settle(manager, act.key, act, round)
    const versionOf = async (key: string): Promise<number> =>
      (await manager.keys.describe({ ...asked, key })).currentVersion
    for (const key of AUTOMATIC) await expect.poll(() => versionOf(key), { timeout: 30_000 }).toBe(round + 1)
    for (const [key, due] of deletionRound) {
      const before = own.get(key)
      if (due > round || !key.startsWith('own') || before === undefined || 'destroyed' in before) continue
      const isGone = async (): Promise<boolean> =>
        manager.keys.describe({ ...asked, key }).then(
          () => false,
          (error: { code?: string }) => error.code === 'KeyDestroyed',
        )
      await expect.poll(isGone, { timeout: 30_000 }).toBe(true)
      noteWorker(key)
    }
    const { keys, unreadable } = await manager.keys.list({ limit: 1000 })
    expect(unreadable).toEqual([])
    for (const { keyId, state, problem } of keys) expect(state, `${keyId}: ${problem}`).not.toBe('Unavailable')
    await manager.close()
    const recent = envelopes.filter((each) => each.round === round)
    const sample = Array.from(
      { length: SAMPLE },
      () => envelopes[systemRandom(4).readUInt32BE() % envelopes.length],
    ).filter((each) => each !== undefined)
    await check([...recent, ...sample])
    if (round % 20 === 0)
      log(`${round} rounds in ${minutes()} min, ${envelopes.length} envelopes (load ${loadavg()[0]?.toFixed(1)})`)
  }
  await check(envelopes)
  log(`${rounds} rounds in ${minutes()} min`)
  return { envelopes: envelopes.length, counts }
}

function comparable(key: OwnKey | undefined): unknown {
  if (key === undefined) return 'never made'
  return 'destroyed' in key ? 'destroyed' : { ...key, aliases: [...key.aliases].sort() }
}
