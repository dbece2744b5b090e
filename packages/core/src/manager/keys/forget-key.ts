import { alsoServing, type Snapshot, type SnapshotSource } from '../snapshot.ts'

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
  for (const { cache, active } of alsoServing(source, snapshot)) {
    cache?.clear(keyId)
    active.forget(keyId, ...names)
  }
}
