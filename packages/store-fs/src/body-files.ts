import { Buffer } from 'node:buffer'
import { closeSync, constants, open as openDescriptor, read } from 'node:fs'
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { storageError, storeError } from './store-error.ts'

/** Written at once, and read at once. Two of them are held: one moves while the other fills. */
const CHUNK_BYTES = 256 * 1024

/** A body, open for reading. */
export interface BodyFile {
  /** Bytes of the file from `position` on into all of `into`; resolves to how many there were. */
  read(into: Buffer, position: number): Promise<number>
  /** What is being read is read to its end first. */
  close(): void
}

/** The files of bodies, by their ids: 32 hex digits. */
export interface BodyFiles {
  /**
   * Writes a new file, durable with its directory entry when this returns; resolves to its size. An empty body makes no file.
   * Whatever fails, no file remains. `check` is asked before each write and may throw.
   */
  write(id: string, body: AsyncIterable<Uint8Array>, check: () => void): Promise<number>
  /** Throws `Damaged` when the file is missing. */
  open(id: string): Promise<BodyFile>
  /** Not being there is fine. */
  remove(id: string): Promise<void>
}

/**
 * Bodies lie in `<directory>/<first two digits of the id>/<id>`. An id is written down in the database before its file is
 * made, and named by an object only after the file is durable: so no file needs a temporary name, and none can be forgotten.
 */
export function createBodyFiles(directory: string): BodyFiles {
  const known = new Set<string>()
  const pathOf = (id: string): string => join(directory, id.slice(0, 2), id)

  /** Directories are made when they are first needed, and are durable before anything in them is. */
  async function prepareShard(id: string): Promise<string> {
    const shard = join(directory, id.slice(0, 2))
    if (known.has(shard)) return shard
    await mkdir(shard, { recursive: true, mode: 0o700 })
    await syncDirectory(directory)
    known.add(shard)
    return shard
  }

  return {
    async write(id, body, check) {
      let file: FileHandle | undefined
      try {
        const size = await writeChunks(body, async () => {
          check()
          if (file !== undefined) return file
          await prepareShard(id)
          file = await open(pathOf(id), 'wx', 0o600)
          return file
        })
        if (file === undefined) return 0
        await file.datasync()
        await file.close()
        await syncDirectory(join(directory, id.slice(0, 2)))
        return size
      } catch (error) {
        if (file !== undefined) {
          await file.close().catch(() => {})
          await unlink(pathOf(id)).catch(() => {})
        }
        throw storageError('writing a body', error)
      }
    },

    async open(id) {
      try {
        return await openBody(pathOf(id))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
          throw storeError('Damaged', `the body ${pathOf(id)} is missing`, error)
        }
        throw storageError('opening a body', error)
      }
    },

    async remove(id) {
      try {
        await unlink(pathOf(id))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw storageError('removing a body', error)
      }
    },
  }
}

/**
 * A descriptor rather than a `FileHandle`: closing it, which waits for no disk, is then no journey through the thread pool, which costs more
 * than reading a small body.
 */
async function openBody(path: string): Promise<BodyFile> {
  const descriptor = await new Promise<number>((resolve, reject) => {
    openDescriptor(path, constants.O_RDONLY, (error, opened) => (error === null ? resolve(opened) : reject(error)))
  })
  let reading = 0
  let closed = false
  const end = (): void => {
    if (closed && reading === 0) closeSync(descriptor)
  }
  return {
    read(into, position) {
      if (closed) return Promise.reject(new TypeError('the body was closed'))
      reading += 1
      return new Promise((resolve, reject) => {
        read(descriptor, into, 0, into.length, position, (error, bytes) => {
          reading -= 1
          end()
          if (error === null) resolve(bytes)
          else reject(error)
        })
      })
    },
    close() {
      if (closed) return
      closed = true
      end()
    },
  }
}

async function writeChunks(body: AsyncIterable<Uint8Array>, file: () => Promise<FileHandle>): Promise<number> {
  let size = 0
  let held: Uint8Array[] = []
  let heldBytes = 0
  let writing: Promise<void> = Promise.resolve()
  const flush = async (): Promise<void> => {
    await writing
    if (heldBytes === 0) return
    const chunks = held
    const position = size
    size += heldBytes
    held = []
    heldBytes = 0
    const handle = await file()
    writing = writeFully(handle, chunks, position)
    // It is awaited before the next write; until then its failure is nobody's.
    writing.catch(() => {})
  }
  try {
    for await (const chunk of body) {
      if (chunk.length === 0) continue
      held.push(chunk)
      heldBytes += chunk.length
      if (heldBytes >= CHUNK_BYTES) await flush()
    }
    await flush()
  } finally {
    // The file must not be closed under a write.
    await writing
  }
  return size
}

async function writeFully(file: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<void> {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const { bytesWritten } = await file.writev(chunks, position)
  if (bytesWritten === bytes) return
  // A short write is a disk that fills up, or a signal; the rest in one piece either goes through or says why.
  const rest = Buffer.concat(chunks).subarray(bytesWritten)
  for (let written = 0; written < rest.length; ) {
    written += (await file.write(rest, written, rest.length - written, position + bytesWritten + written)).bytesWritten
  }
}

/** Reads from `start` to `end` of an open file, one chunk ahead of the reader. Throws `Damaged` when the file is shorter. */
export async function* readFileRange(file: BodyFile, start: number, end: number): AsyncGenerator<Buffer, void> {
  const fetch = async (position: number): Promise<Buffer> => {
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - position))
    for (let filled = 0; filled < chunk.length; ) {
      const bytesRead = await file.read(filled === 0 ? chunk : chunk.subarray(filled), position + filled)
      if (bytesRead === 0) throw storeError('Damaged', 'a body is shorter than when it was written')
      filled += bytesRead
    }
    return chunk
  }
  let position = start
  let ahead: Promise<Buffer> | undefined = position < end ? fetch(position) : undefined
  try {
    while (ahead !== undefined) {
      const chunk = await ahead
      position += chunk.length
      ahead = position < end ? fetch(position) : undefined
      ahead?.catch(() => {})
      yield chunk
    }
  } catch (error) {
    throw storageError('reading a body', error)
  } finally {
    // Nobody waits for it any more.
    await ahead?.catch(() => {})
  }
}

/** Makes the entries of a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
