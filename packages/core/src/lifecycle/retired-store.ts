import type { Clock } from '../clock.ts'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { OpenStore } from '../store/open-store.ts'

/** A store kept only to unwrap; opened when it is first needed, so that an unreachable one blocks nothing. */
export interface RetiredStore {
  readonly realm: Realm
  /** The opened store. Throws `BackendUnavailable` naming the realm when it cannot be opened. */
  get(): Promise<OpenStore>
  /** Closes it; it may be opened again. */
  close(seconds: number): Promise<void>
}

export interface RetiredStoreOptions {
  readonly realm: Realm
  readonly clock: Clock
  /** Set when the store is open already, because it was the active one. */
  readonly opened?: OpenStore
  open(): Promise<OpenStore>
}

/** After a failed attempt, the next one waits this long; requests meanwhile get the same answer at once. */
const RETRY_AFTER_MS = 5000

export function createRetiredStore({ realm, clock, opened, open }: RetiredStoreOptions): RetiredStore {
  let store: Promise<OpenStore> | undefined = opened === undefined ? undefined : Promise.resolve(opened)
  let failure: { readonly error: unknown; readonly at: number } | undefined

  function unavailable(cause: unknown): Error {
    const reason = isKmsError(cause) ? cause.message : 'it could not be opened'
    return kmsError('BackendUnavailable', { store: realm, reason }, { cause, retryAfterSeconds: RETRY_AFTER_MS / 1000 })
  }

  return {
    realm,
    async get() {
      if (failure !== undefined && clock.now() - failure.at < RETRY_AFTER_MS) throw unavailable(failure.error)
      store ??= open()
      const attempt = store
      try {
        const result = await attempt
        failure = undefined
        return result
      } catch (error) {
        if (store === attempt) {
          store = undefined
          failure = { error, at: clock.now() }
        }
        throw unavailable(error)
      }
    },
    async close(seconds) {
      const closing = store
      store = undefined
      await (await closing?.catch(() => undefined))?.retire(seconds)
    },
  }
}
