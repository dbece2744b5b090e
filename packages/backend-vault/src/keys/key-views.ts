import type { Clock } from '@kms/core'
import { LRUCache } from 'lru-cache'
import type { Operation } from '../transport/operation.ts'
import type { KeyReader } from './key-reader.ts'
import type { KeyView } from './key-view.ts'

/** Keys as they were read a moment ago. */
export interface KeyViews {
  /** Keeps what was read, or written, at a time. */
  keep(view: KeyView, readAt: number): KeyView
  forget(keyId: string): void
  /** {@link KeyReader.find}, now. */
  find(operation: Operation, name: string): Promise<KeyView>
  /** {@link KeyReader.get}, now. */
  get(operation: Operation, keyId: string): Promise<KeyView>
  /** A key as it was a moment ago, or now. Throws as `get`. */
  known(operation: Operation, keyId: string): Promise<KeyView>
  clear(): void
}

/** Contract §2: key state is at most 5 s old. Core describes a key that often, which is what wraps and unwraps go by. */
const VIEW_TTL_MS = 5000
const MAX_VIEWS = 10_000

export function createKeyViews(reader: KeyReader, clock: Clock): KeyViews {
  const views = new LRUCache<string, { readonly view: KeyView; readonly readAt: number }>({ max: MAX_VIEWS })

  function keep(view: KeyView, readAt: number): KeyView {
    views.set(view.record.keyId, { view, readAt })
    return view
  }

  /** What was known of a key that can no longer be read does not hold any more. */
  async function read(name: string, look: () => Promise<KeyView>): Promise<KeyView> {
    const readAt = clock.now()
    try {
      return keep(await look(), readAt)
    } catch (error) {
      views.delete(name)
      throw error
    }
  }

  const get: KeyViews['get'] = (operation, keyId) => read(keyId, () => reader.get(operation, keyId))

  return {
    keep,
    forget: (keyId) => void views.delete(keyId),
    find: (operation, name) => read(name, () => reader.find(operation, name)),
    get,
    async known(operation, keyId) {
      const held = views.get(keyId)
      return held !== undefined && clock.now() - held.readAt < VIEW_TTL_MS ? held.view : get(operation, keyId)
    },
    clear: () => views.clear(),
  }
}
