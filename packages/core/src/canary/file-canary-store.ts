import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { decodeBase64 } from '../bytes/base64.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import { storageFailed } from '../state/storage-error.ts'
import { readCanaryIndex, writeCanaryIndex } from './canary-index.ts'
import type { KeyLine } from './canary-line.ts'
import { openCanaryLog } from './canary-log.ts'
import type { Canary, CanarySet, CanaryStore, KeyMemory } from './canary-store.ts'
import { createCanaryTable, extendTable, keyHash, type LoggedLine, type LoggedMemory } from './canary-table.ts'

export interface FileCanaryStoreOptions {
  /** Created 0700 when absent. */
  readonly directory: string
  readonly random: Random
  /** Told about lines that could not be read; public text. */
  readonly onDamaged: (message: string) => void
  /** How much of a file is read before a store can be used, about; what is more is in its index. 1 MiB unless given. */
  readonly unindexedBytes?: number
  readonly clock?: Clock
}

interface OpenSet extends CanarySet {
  close(): Promise<void>
}

const UNINDEXED_BYTES = 1024 * 1024
/** What an index made unnecessary is done after the start, for which it was made. */
const AFTER_START_MS = 5000
/** Read at once when the newest canaries are looked for: some two hundred. */
const READ_BACK_BYTES = 64 * 1024
/** Up to so many canaries are looked through one by one for a sample. */
const LOOKED_THROUGH = 4096

/**
 * Canaries as one append-only file per realm, `<realm>.log`. A line is JSON, a tab, and the CRC-32 of the JSON in eight
 * hex digits; the first one names format and realm. A torn last line is a write that was never acknowledged. What a long
 * file tells is found through `<realm>.index`, which is made of it, in the background, and made again when it is lost.
 */
export function createFileCanaryStore(options: FileCanaryStoreOptions): CanaryStore {
  const sets = new Map<Realm, Promise<OpenSet>>()
  let closed = false
  return {
    async open(realm) {
      if (closed) throw kmsError('StorageFailed', { what: 'the canaries', reason: 'they were closed' })
      let set = sets.get(realm)
      if (set === undefined) {
        set = openSet(realm, options)
        sets.set(realm, set)
        set.catch(() => sets.delete(realm))
      }
      return set
    },
    async close() {
      closed = true
      const opened = [...sets.values()]
      sets.clear()
      for (const set of opened) await (await set.catch(() => undefined))?.close()
    },
  }
}

async function openSet(realm: Realm, options: FileCanaryStoreOptions): Promise<OpenSet> {
  const { directory, random, onDamaged, unindexedBytes = UNINDEXED_BYTES, clock = systemClock } = options
  const path = join(directory, `${realm}.log`)
  const indexPath = join(directory, `${realm}.index`)
  let table = createCanaryTable(Buffer.alloc(0))
  /** Of the log; what comes after it is in `recent`. */
  let covered = 0
  let recent: LoggedLine[] = []
  const recentOf = new Map<string, { highestVersion: number; destroyedVersion: number }>()
  let indexing: Promise<void> | undefined
  let auditing: Promise<void> | undefined
  let closed = false

  const log = await openCanaryLog({
    path,
    realm,
    onWritten(line, offset, length) {
      note(line, offset, length)
      indexWhenWorthIt()
    },
  })
  const indexed = await load().catch(async (error: unknown) => {
    await log.close()
    throw isKmsError(error) ? error : storageFailed(path, error)
  })
  const cancelLater = clock.after(AFTER_START_MS, () => {
    indexWhenWorthIt()
    auditing = scan(0, () => {}, indexed).then(tellOfDamage, () => {})
  })

  /** Returns how much of the log was not read, because its index tells the same. */
  async function load(): Promise<number> {
    if (log.file !== undefined) {
      const found = await readCanaryIndex(indexPath, realm, log.file, log.size)
      if (found !== undefined) ({ table, covered } = found)
    }
    const unread = covered
    tellOfDamage(await scan(covered, note))
    return unread
  }

  /** Returns how many lines are damaged. */
  async function scan(from: number, onLine: typeof note, to?: number): Promise<number> {
    let damaged = 0
    for await (const lines of log.scan(from, to)) {
      if (closed) break
      for (const { line, offset, length } of lines) {
        if (line === undefined) damaged++
        else if (!('format' in line)) onLine(line, offset, length)
      }
    }
    return damaged
  }

  function tellOfDamage(damaged: number): void {
    if (damaged === 0) return
    onDamaged(`${path}: ${damaged} damaged lines were ignored; the key versions they proved are not proven.`)
  }

  function note(line: KeyLine, offset: number, length: number): void {
    const destroyed = 'destroyed' in line
    const version = destroyed ? line.destroyed : line.version
    const logged = { key: keyHash(line.key), destroyed, version, offset, length }
    recent.push(logged)
    noteRecent(logged)
  }

  function noteRecent({ key, destroyed, version }: LoggedLine): void {
    const name = key.toString('latin1')
    let memory = recentOf.get(name)
    if (memory === undefined) recentOf.set(name, (memory = { highestVersion: 0, destroyedVersion: 0 }))
    if (destroyed) memory.destroyedVersion = Math.max(memory.destroyedVersion, version)
    else memory.highestVersion = Math.max(memory.highestVersion, version)
  }

  /** An index is written when as much was added as would be worth reading, or half of what it had: what it costs stays in proportion. */
  function indexWhenWorthIt(): void {
    if (indexing !== undefined || closed) return
    if (log.size - covered <= Math.max(unindexedBytes, table.bytes.length / 2)) return
    indexing = index().finally(() => {
      indexing = undefined
    })
  }

  async function index(): Promise<void> {
    const added = [...recent]
    const last = added.at(-1)
    if (last === undefined) return
    table = await extendTable(table, added)
    covered = last.offset + last.length + 1
    recent = recent.slice(added.length)
    recentOf.clear()
    for (const line of recent) noteRecent(line)
    // It is a shortcut: without it the next start takes the long way, and makes another.
    if (log.file !== undefined) await writeCanaryIndex(indexPath, realm, log.file, { table, covered }).catch(() => {})
  }

  function memoryOf(key: Buffer): LoggedMemory | undefined {
    const before = table.memory(key)
    const since = recentOf.get(key.toString('latin1'))
    if (before === undefined || since === undefined) return before ?? since
    return {
      highestVersion: Math.max(before.highestVersion, since.highestVersion),
      destroyedVersion: Math.max(before.destroyedVersion, since.destroyedVersion),
    }
  }

  function isLive({ key, destroyed, version }: LoggedLine, memory = memoryOf(key)): boolean {
    return !destroyed && version > (memory?.destroyedVersion ?? 0)
  }

  /** The canaries of keys that were not destroyed, in no order. */
  function* live(): Generator<LoggedLine> {
    let last: { readonly key: Buffer; readonly memory: LoggedMemory | undefined } | undefined
    for (let i = 0; i < table.lines; i++) {
      const line = table.at(i)
      if (last?.key.equals(line.key) !== true) last = { key: line.key, memory: memoryOf(line.key) }
      if (isLive(line, last.memory)) yield line
    }
    for (const line of recent) if (isLive(line)) yield line
  }

  /** The newest canaries of keys that were not destroyed, newest first. */
  async function newest(limit: number): Promise<readonly LoggedLine[]> {
    const found: LoggedLine[] = []
    for (const line of recent.toReversed()) if (isLive(line) && found.push(line) === limit) return found
    for (let end = covered; end > 0 && found.length < limit; ) {
      const start = Math.max(0, end - READ_BACK_BYTES)
      const lines: LoggedLine[] = []
      // The first line of a piece may be cut: the next piece has it whole.
      let first: number | undefined
      for await (const piece of log.scan(start, end)) {
        for (const { line, offset, length } of piece) {
          if (first === undefined && start > 0) {
            first = offset + length + 1
            continue
          }
          if (line === undefined || 'format' in line || 'destroyed' in line) continue
          const { key, version } = line
          const logged = { key: keyHash(key), destroyed: false, version, offset, length }
          if (isLive(logged)) lines.push(logged)
        }
      }
      found.push(...lines.toReversed().slice(0, limit - found.length))
      end = start === 0 ? 0 : (first ?? start)
    }
    return found
  }

  function canariesOf(key: Buffer): readonly LoggedLine[] {
    return [...table.canariesOf(key), ...recent.filter((line) => line.key.equals(key))].filter((line) => isLive(line))
  }

  async function choose(limit: number, keyId: string | undefined): Promise<Iterable<LoggedLine>> {
    const all = table.lines + recent.length
    if (all <= Math.max(limit, LOOKED_THROUGH)) {
      const lines = [...live()]
      if (lines.length <= limit) return lines
    }
    const chosen = new Map<number, LoggedLine>()
    const take = (line: LoggedLine): unknown => chosen.set(line.offset, line)
    if (keyId !== undefined)
      canariesOf(keyHash(keyId))
        .slice(-Math.ceil(limit / 4))
        .forEach(take)
    for (const line of await newest(Math.floor((limit - chosen.size) / 2))) take(line)
    for (let tries = 0; chosen.size < limit && tries < 16 * limit; tries++) {
      const i = random(4).readUInt32BE() % all
      const line = i < table.lines ? table.at(i) : (recent[i - table.lines] as LoggedLine)
      if (isLive(line)) take(line)
    }
    // Nearly all were destroyed: what is left is few.
    if (chosen.size < limit) for (const line of live()) if (chosen.size < limit) take(line)
    return chosen.values()
  }

  return {
    get isEmpty() {
      return table.lines === 0 && recent.length === 0
    },
    get keyVersions() {
      let count = 0
      for (const _ of live()) count++
      return count
    },
    memory(keyId) {
      const memory = memoryOf(keyHash(keyId))
      return memory && told(memory)
    },
    async *known() {
      const seen = new Set<string>()
      for await (const lines of log.scan(0)) {
        for (const { line } of lines) {
          if (line === undefined || 'format' in line || seen.has(line.key)) continue
          seen.add(line.key)
          yield [line.key, told(memoryOf(keyHash(line.key)) as LoggedMemory)]
        }
      }
    },
    add: ({ keyId, version, envelope, digest }) =>
      log.append({ key: keyId, version, envelope: envelope.toString('base64'), sha256: digest.toString('hex') }),
    markDestroyed: (keyId, version) => log.append({ key: keyId, destroyed: version }),
    async sample(limit, keyId) {
      const chosen = [...(await choose(limit, keyId))]
      const lines = await Promise.all(chosen.map(({ offset, length }) => log.read(offset, length)))
      return lines.flatMap((line) => (line === undefined ? [] : (canaryOf(line) ?? [])))
    },
    async close() {
      closed = true
      cancelLater()
      await indexing
      await auditing
      await log.close()
    },
  }
}

function canaryOf(line: KeyLine): Canary | undefined {
  if ('destroyed' in line) return undefined
  const { key: keyId, version, sha256 } = line
  const envelope = decodeBase64(line.envelope)
  return envelope === undefined ? undefined : { keyId, version, envelope, digest: Buffer.from(sha256, 'hex') }
}

/** A version above the one destroyed is the key made again on purpose. */
function told({ highestVersion, destroyedVersion }: LoggedMemory): KeyMemory {
  return { highestVersion: Math.max(highestVersion, destroyedVersion), destroyed: destroyedVersion >= highestVersion }
}
