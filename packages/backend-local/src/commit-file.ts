import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { kmsError } from '@kms/core'
import { type DurableWriteOptions, storageReason, syncDirectory, writeDurably } from '@kms/core/internal'
import { writeFailure } from './storage-error.ts'

/**
 * Writes a file durably, and tells a failure that changed nothing (`StorageFailed`, `StoreUnwritable`) from one after
 * the new bytes were already in place (`BackendUnavailable`: they may or may not survive a power failure).
 */
export async function commitFile(path: string, bytes: Buffer, options: DurableWriteOptions): Promise<void> {
  try {
    await writeDurably(path, bytes, options)
  } catch (error) {
    const found = await readFile(path).catch(() => undefined)
    if (found?.equals(bytes) !== true) throw writeFailure(path, error)
    await syncDirectory(dirname(path)).catch(() => {
      throw kmsError('BackendUnavailable', { store: dirname(path), reason: storageReason(error) }, { cause: error })
    })
  }
}
