import type { ConfigDocument } from '../config/driver.ts'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { KeyReference } from '../keys/key-name.ts'
import type { RetiredStore } from '../lifecycle/retired-store.ts'
import type { DataKeyCache } from '../store/data-key-cache.ts'
import type { OpenStore } from '../store/open-store.ts'

/** What a request works on from its beginning to its end, whatever is published meanwhile. */
export interface Snapshot {
  readonly config: ConfigDocument
  /** The store that wraps. */
  readonly active: OpenStore
  /** The stores kept only to unwrap. */
  readonly retired: ReadonlyMap<Realm, RetiredStore>
  /** The id `default_key_id` was resolved to; absent too while it could not be, because its key cannot be read. */
  readonly defaultKeyId: string | undefined
  /** Absent when `enable_cache` is false. */
  readonly cache: DataKeyCache | undefined
}

/** How the default key is called: the id it was resolved to, or else what the configuration calls it, an alias perhaps. */
export function defaultKeyOf({ defaultKeyId, config }: Snapshot): KeyReference | undefined {
  if (defaultKeyId !== undefined) return { name: defaultKeyId, kind: 'key' }
  const { default_key_id: name } = config
  return name === undefined ? undefined : { name }
}

/** Gives the current snapshot to the operations of the data path. */
export interface SnapshotSource {
  /** The snapshot that serves now. Throws `NotRunning`. */
  current(): Snapshot
}

/**
 * Runs `work` on the current snapshot. When the store was closed under it because a drain ran out of time, `work` runs
 * once more on the snapshot that took over.
 */
export async function onSnapshot<T>(source: SnapshotSource, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const snapshot = source.current()
  try {
    return await work(snapshot)
  } catch (error) {
    if (!isKmsError(error, 'BackendUnavailable')) throw error
    const next = source.current()
    if (next === snapshot) throw error
    return work(next)
  }
}

/** The snapshot that work began with, and the one that has taken over meanwhile, if one has. */
export function alsoServing(source: SnapshotSource, snapshot: Snapshot): ReadonlySet<Snapshot> {
  try {
    return new Set([snapshot, source.current()])
  } catch (error) {
    if (isKmsError(error, 'NotRunning')) return new Set([snapshot])
    throw error
  }
}
