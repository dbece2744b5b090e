import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { decodeBase64 } from '../bytes/base64.ts'
import type { Realm } from '../envelope/envelope.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import { syncDirectory } from '../state/durable-file.ts'
import { errnoOf, storageFailed } from '../state/storage-error.ts'
import type { Canary, CanarySet, CanaryStore, KeyMemory } from './canary-store.ts'

export interface FileCanaryStoreOptions {
  /** Created 0700 when absent. */
  readonly directory: string
  readonly random: Random
  /** Told about lines that could not be read; public text. */
  readonly onDamaged: (message: string) => void
}

interface OpenSet extends CanarySet {
  close(): Promise<void>
}

interface Entry {
  readonly keyId: string
  readonly version: number
  readonly offset: number
  readonly length: number
}

interface Memory {
  highestVersion: number
  /** 0: never destroyed. */
  destroyedVersion: number
}

type Line =
  | { readonly format: number; readonly realm: string }
  | { readonly key: string; readonly version: number; readonly envelope: string; readonly sha256: string }
  | { readonly key: string; readonly destroyed: number }

const FORMAT = 1
const NEWLINE = 0x0a

/**
 * Canaries as one append-only file per realm, `<realm>.log`. A line is JSON, a tab, and the CRC-32 of the JSON in eight
 * hex digits; the first one names format and realm. A torn last line is a write that was never acknowledged.
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
  const path = join(options.directory, `${realm}.log`)
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDWR | constants.O_APPEND)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw storageFailed(path, error)
  }
  try {
    return await readSet(realm, file, path, options)
  } catch (error) {
    await file?.close()
    throw error
  }
}

/** `file` is absent as long as nothing was ever remembered of the realm: looking at a store leaves no trace. */
async function readSet(
  realm: Realm,
  file: FileHandle | undefined,
  path: string,
  { directory, random, onDamaged }: FileCanaryStoreOptions,
): Promise<OpenSet> {
  let content: Buffer = Buffer.alloc(0)
  if (file !== undefined) {
    try {
      content = await file.readFile()
      const complete = content.lastIndexOf(NEWLINE) + 1
      if (complete < content.length) {
        await file.truncate(complete)
        content = content.subarray(0, complete)
      }
      await syncDirectory(directory)
    } catch (error) {
      throw storageFailed(path, error)
    }
  }

  const memories = new Map<string, Memory>()
  const entries: Entry[] = []
  let size = content.length
  let damaged = 0

  for (let start = 0; start < content.length; ) {
    const end = content.indexOf(NEWLINE, start)
    const line = parseLine(content.toString('utf8', start, end))
    if (line === undefined) damaged++
    else if ('format' in line) {
      if (line.format > FORMAT) throw kmsError('NewerFormat', { path, found: line.format, known: FORMAT })
      if (line.realm !== realm) throw kmsError('StoreDamaged', { path, reason: 'it belongs to another key store' })
    } else remember(line, start, end - start)
    start = end + 1
  }
  if (damaged > 0)
    onDamaged(`${path}: ${damaged} damaged lines were ignored; the key versions they proved are not proven.`)

  function remember(line: Exclude<Line, { format: number }>, offset: number, length: number): void {
    let memory = memories.get(line.key)
    if (memory === undefined) memories.set(line.key, (memory = { highestVersion: 0, destroyedVersion: 0 }))
    if ('destroyed' in line) memory.destroyedVersion = Math.max(memory.destroyedVersion, line.destroyed)
    else {
      memory.highestVersion = Math.max(memory.highestVersion, line.version)
      entries.push({ keyId: line.key, version: line.version, offset, length })
    }
  }

  function isDestroyed({ keyId, version }: Entry): boolean {
    return version <= (memories.get(keyId) as Memory).destroyedVersion
  }

  // Appends that arrive while one is being written share the next write and fsync.
  let waiting: { text: string; done: Promise<void> } | undefined
  let writing: Promise<void> = Promise.resolve()
  let closed = false

  async function create(): Promise<FileHandle> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const created = await open(path, 'a+', 0o600)
    try {
      await syncDirectory(directory)
      return created
    } catch (error) {
      await created.close()
      throw error
    }
  }

  async function write(text: string): Promise<void> {
    try {
      if (closed) throw new Error('it was closed')
      file ??= await create()
      await file.appendFile(text)
      await file.datasync()
    } catch (error) {
      await file?.truncate(size).catch(() => {})
      throw storageFailed('the canaries', error)
    }
  }

  async function append(line: Exclude<Line, { format: number }>): Promise<void> {
    const text = formatLine(line)
    if (waiting === undefined) {
      const batch = { text: size === 0 ? formatLine({ format: FORMAT, realm }) : '', done: writing }
      waiting = batch
      batch.done = writing = writing
        .catch(() => {})
        .then(async () => {
          waiting = undefined
          await write(batch.text)
          let offset = size
          size += Buffer.byteLength(batch.text)
          for (const written of batch.text.split('\n')) {
            const parsed = parseLine(written)
            if (parsed !== undefined && !('format' in parsed)) remember(parsed, offset, Buffer.byteLength(written))
            offset += Buffer.byteLength(written) + 1
          }
        })
    }
    waiting.text += text
    await waiting.done
  }

  async function readEntry({ keyId, version, offset, length }: Entry): Promise<Canary | undefined> {
    const bytes = Buffer.allocUnsafe(length)
    const read = await file?.read(bytes, 0, length, offset)
    const line = read?.bytesRead === length ? parseLine(bytes.toString('utf8')) : undefined
    if (line === undefined || !('envelope' in line)) return undefined
    const envelope = decodeBase64(line.envelope)
    return envelope === undefined ? undefined : { keyId, version, envelope, digest: Buffer.from(line.sha256, 'hex') }
  }

  return {
    get isEmpty() {
      return memories.size === 0
    },
    get keyVersions() {
      return entries.filter((entry) => !isDestroyed(entry)).length
    },
    memory(keyId) {
      const memory = memories.get(keyId)
      return memory && told(memory)
    },
    *known() {
      for (const [keyId, memory] of memories) yield [keyId, told(memory)]
    },
    add: ({ keyId, version, envelope, digest }) =>
      append({ key: keyId, version, envelope: envelope.toString('base64'), sha256: digest.toString('hex') }),
    markDestroyed: (keyId, version) => append({ key: keyId, destroyed: version }),
    async sample(limit, keyId) {
      const live = entries.filter((entry) => !isDestroyed(entry))
      const chosen = new Set<Entry>(live.length <= limit ? live : [])
      if (live.length > limit) {
        for (const entry of live.filter((candidate) => candidate.keyId === keyId).slice(-Math.ceil(limit / 4))) {
          chosen.add(entry)
        }
        for (const entry of live.slice(-Math.floor((limit - chosen.size) / 2))) chosen.add(entry)
        while (chosen.size < limit) chosen.add(live[random(4).readUInt32BE() % live.length] as Entry)
      }
      const canaries: Canary[] = []
      for (const entry of chosen) {
        const canary = await readEntry(entry)
        if (canary !== undefined) canaries.push(canary)
      }
      return canaries
    },
    async close() {
      await writing.catch(() => {})
      closed = true
      await file?.close()
    },
  }
}

/** A version above the one destroyed is the key made again on purpose. */
function told({ highestVersion, destroyedVersion }: Memory): KeyMemory {
  return { highestVersion: Math.max(highestVersion, destroyedVersion), destroyed: destroyedVersion >= highestVersion }
}

function formatLine(line: Line): string {
  const json = JSON.stringify(line)
  return `${json}\t${checksum(json)}\n`
}

function parseLine(text: string): Line | undefined {
  const tab = text.lastIndexOf('\t')
  const json = text.slice(0, tab)
  if (tab === -1 || text.slice(tab + 1) !== checksum(json)) return undefined
  return JSON.parse(json) as Line
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
