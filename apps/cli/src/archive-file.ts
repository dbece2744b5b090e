import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ArchiveUpload } from '@kms/client'
import { usageError } from './exit-codes.ts'

/**
 * Writes an archive to a file that nobody else may read. It appears under its name when it is whole and durable, and not at all
 * when its bytes break off. A file that is there is replaced only with `force`.
 */
export async function writeArchiveFile(
  path: string,
  force: boolean,
  fetch: () => Promise<AsyncIterable<Uint8Array>>,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  // Before anything is asked for.
  if (!force && (await exists(path))) throw usageError(`${path} is there already; --force replaces it.`)
  const partial = `${path}.partial`
  const file = await open(partial, 'w', 0o600).catch((error: unknown) => {
    throw unusable(partial, 'written', error)
  })
  try {
    let bytes = 0
    const sha256 = createHash('sha256')
    try {
      await file.chmod(0o600)
      for await (const chunk of await fetch()) {
        await file.writeFile(chunk)
        sha256.update(chunk)
        bytes += chunk.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
    if (!force && (await exists(path))) throw usageError(`${path} is there by now; --force replaces it.`)
    await rename(partial, path)
    await syncDirectory(dirname(path))
    return { bytes, sha256: sha256.digest('hex') }
  } catch (error) {
    await unlink(partial).catch(() => {})
    throw error
  }
}

/** An archive in a file, read twice: what is signed beforehand is what is sent, or the server refuses it. */
export async function readArchiveFile(path: string): Promise<ArchiveUpload> {
  const sha256 = createHash('sha256')
  let size = 0
  for await (const chunk of readAll(path)) {
    sha256.update(chunk)
    size += chunk.length
  }
  return { sha256: sha256.digest('hex'), size, bytes: readAll(path) }
}

async function* readAll(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) yield chunk as Uint8Array
  } catch (error) {
    throw unusable(path, 'read', error)
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function unusable(path: string, what: string, error: unknown): Error {
  return usageError(`${path} cannot be ${what} (${(error as NodeJS.ErrnoException).code}).`, error)
}
