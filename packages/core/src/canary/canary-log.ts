import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import { syncDirectory } from '../state/durable-file.ts'
import { errnoOf, storageFailed } from '../state/storage-error.ts'
import { formatLine, type KeyLine, parseLine } from './canary-line.ts'
import { type ScannedLine, scanLog } from './scan-log.ts'

/** An append-only file of lines that tell of keys; see formats §5. */
export interface CanaryLog {
  /** Absent as long as nothing was ever written: looking at a store leaves no trace. */
  readonly file: FileHandle | undefined
  /** Bytes of what was acknowledged. */
  readonly size: number
  /** What was written between two offsets; to the end unless given. */
  scan(from: number, to?: number): AsyncIterable<readonly ScannedLine[]>
  /** One line; `undefined` when it is damaged. */
  read(offset: number, length: number): Promise<KeyLine | undefined>
  /**
   * Writes lines, durably; those that come while others are being written share the next write. `onWritten` is called for
   * each before it resolves. Throws `StorageFailed`.
   */
  append(line: KeyLine): Promise<void>
  close(): Promise<void>
}

export interface CanaryLogOptions {
  readonly path: string
  readonly realm: Realm
  readonly onWritten: (line: KeyLine, offset: number, length: number) => void
}

const FORMAT = 1
/** More than the first line has. */
const HEAD_BYTES = 4096

/** Opens the file and checks its first line. Throws `NewerFormat`, `StoreDamaged`, `StorageFailed`. */
export async function openCanaryLog({ path, realm, onWritten }: CanaryLogOptions): Promise<CanaryLog> {
  let file: FileHandle | undefined
  let size = 0
  try {
    file = await open(path, constants.O_RDWR | constants.O_APPEND)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw storageFailed(path, error)
  }
  if (file !== undefined) {
    try {
      size = await openedSize(file, path, realm)
    } catch (error) {
      await file.close()
      throw error
    }
  }
  let waiting: { text: string; done: Promise<void> } | undefined
  let writing: Promise<void> = Promise.resolve()
  let torn = false
  let closed = false

  async function create(): Promise<FileHandle> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const created = await open(path, 'a+', 0o600)
    try {
      await syncDirectory(dirname(path))
      return created
    } catch (error) {
      await created.close()
      throw error
    }
  }

  /** What is left of a write that failed was not acknowledged, and what comes after it must not stand behind it. */
  async function takeBack(from: FileHandle): Promise<void> {
    await from.truncate(size)
    torn = false
  }

  async function write(text: string): Promise<void> {
    try {
      if (closed) throw new Error('it was closed')
      file ??= await create()
      if (torn) await takeBack(file)
      torn = true
      await file.appendFile(text)
      await file.datasync()
      torn = false
    } catch (error) {
      if (torn && file !== undefined) await takeBack(file).catch(() => {})
      throw storageFailed('the canaries', error)
    }
  }

  async function writeAll(lines: string): Promise<void> {
    const text = size === 0 ? formatLine({ format: FORMAT, realm }) + lines : lines
    await write(text)
    let offset = size
    size += Buffer.byteLength(text)
    for (const written of text.split('\n')) {
      const line = parseLine(written)
      const length = Buffer.byteLength(written)
      if (line !== undefined && !('format' in line)) onWritten(line, offset, length)
      offset += length + 1
    }
  }

  return {
    get file() {
      return file
    },
    get size() {
      return size
    },

    async *scan(from, to = size) {
      if (file !== undefined) yield* scanLog(file, from, to)
    },

    async read(offset, length) {
      const bytes = Buffer.allocUnsafe(length)
      const read = await file?.read(bytes, 0, length, offset)
      const line = read?.bytesRead === length ? parseLine(bytes.toString('utf8')) : undefined
      return line === undefined || 'format' in line ? undefined : line
    },

    async append(line) {
      if (waiting === undefined) {
        const batch = { text: '', done: writing }
        waiting = batch
        batch.done = writing = writing
          .catch(() => {})
          .then(() => {
            waiting = undefined
            return writeAll(batch.text)
          })
      }
      waiting.text += formatLine(line)
      await waiting.done
    },

    async close() {
      await writing.catch(() => {})
      closed = true
      await file?.close()
    },
  }
}

/** Takes away a torn last line, which was never acknowledged. */
async function openedSize(file: FileHandle, path: string, realm: Realm): Promise<number> {
  try {
    const { size } = await file.stat()
    const end = await endOfLastLine(file, size)
    if (end < size) await file.truncate(end)
    await syncDirectory(dirname(path))
    for await (const [first] of scanLog(file, 0, Math.min(HEAD_BYTES, end))) {
      const line = first?.line
      if (line === undefined || !('format' in line)) break
      if (line.format > FORMAT) throw kmsError('NewerFormat', { path, found: line.format, known: FORMAT })
      if (line.realm !== realm) throw kmsError('StoreDamaged', { path, reason: 'it belongs to another key store' })
    }
    return end
  } catch (error) {
    throw isKmsError(error) ? error : storageFailed(path, error)
  }
}

async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - HEAD_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start)
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(0x0a)
    if (newline !== -1) return start + newline + 1
    end = start
  }
  return 0
}
