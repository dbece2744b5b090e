import { isKmsError } from '../../errors/kms-error.ts'
import type { Snapshot, SnapshotSource } from '../snapshot.ts'

/**
 * Drops what is cached of a key after a change of it was tried, in the snapshot that made the change and in the one that
 * may have taken over meanwhile. `names` are further names by which it may be held.
 */
export function forgetKey(
  source: SnapshotSource,
  snapshot: Snapshot,
  keyId: string,
  names: readonly string[] = [],
): void {
  for (const each of new Set([snapshot, serving(source)])) {
    each?.cache?.clear(keyId)
    each?.active.forget(keyId, ...names)
  }
}

function serving(source: SnapshotSource): Snapshot | undefined {
  try {
    return source.current()
  } catch (error) {
    if (isKmsError(error, 'NotRunning')) return undefined
    throw error
  }
}
