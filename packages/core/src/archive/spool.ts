import { mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { kmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import { storageFailed } from '../state/storage-error.ts'

/** Keeps what is being sent until it can be judged: in private files that are gone when the work on them is done. */
export interface Spool {
  /**
   * Runs `work` with a file that holds the bytes of `source`. Throws `EntityTooLarge`, `StorageFailed`, and what `source` and
   * `work` throw.
   */
  withFile<T>(source: AsyncIterable<Uint8Array>, work: (path: string) => Promise<T>): Promise<T>
  /** Removes what a process that is gone left. */
  clear(): Promise<void>
}

const NAME = /^incoming-[0-9a-f]{16}$/
/** More than any archive has; what is larger is a mistake that fills the disk. */
const MAX_BYTES = 64 * 1024 ** 3

/** `directory` is made 0700 when it is first needed. One process at a time; the server's lock sees to it. */
export function createSpool(directory: string, random: Random): Spool {
  async function receive(source: AsyncIterable<Uint8Array>, path: string): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const file = await open(path, 'wx', 0o600)
    try {
      let size = 0
      for await (const chunk of source) {
        size += chunk.length
        if (size > MAX_BYTES) throw kmsError('EntityTooLarge', { limit: MAX_BYTES })
        await file.writeFile(chunk)
      }
    } finally {
      await file.close()
    }
  }

  return {
    async withFile(source, work) {
      const path = join(directory, `incoming-${random(8).toString('hex')}`)
      try {
        await receive(source, path).catch((error: unknown) => {
          throw isSystemError(error) ? storageFailed(directory, error) : error
        })
        return await work(path)
      } finally {
        await unlink(path).catch(() => {})
      }
    },

    async clear() {
      const names = await readdir(directory).catch(() => [])
      for (const name of names) if (NAME.test(name)) await unlink(join(directory, name)).catch(() => {})
    },
  }
}

/** Of the disk, rather than of whoever sends. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && ['open', 'mkdir', 'write'].includes(String(error.syscall))
}
