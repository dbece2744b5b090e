import type { Clock } from '../clock.ts'
import type { ConfigDocument } from '../config/driver.ts'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import { withDeadline } from '../store/deadline.ts'
import type { OpenStore } from '../store/open-store.ts'
import { jitter } from './jitter.ts'
import { publicReason } from './public-reason.ts'

/** What is known of a retired store without asking it. */
export interface RetiredHealth {
  /** `undefined` until the first attempt has ended. */
  readonly healthy: boolean | undefined
  readonly lastError: string | undefined
  /** When its credentials end, if they do and it is open; milliseconds since the epoch. */
  readonly credentialsExpireAt: number | undefined
}

/**
 * A store kept only to unwrap. It is opened and probed in the background; while it cannot be reached it is quarantined:
 * attempts are made with backoff, and whoever needs it meanwhile is told so at once. It never holds anybody else up.
 */
export interface RetiredStore {
  readonly realm: Realm
  readonly health: RetiredHealth
  /** The opened store. Throws `BackendUnavailable` naming the realm when it is quarantined, cannot be opened or is closed. */
  get(): Promise<OpenStore>
  /**
   * For good. Resolves when the work under way is done (at most `seconds`) and the store is closed; does not wait for one
   * that is still being opened.
   */
  close(seconds: number): Promise<void>
}

export interface RetiredStoreOptions {
  readonly realm: Realm
  readonly config: ConfigDocument
  readonly clock: Clock
  readonly random: Random
  /** Set when the store is open already, because it was the active one. */
  readonly opened?: OpenStore
  /**
   * Opens the store; what takes longer than `seconds`, or until `signal` is aborted, fails. What opens late closes itself.
   */
  open(seconds: number, signal: AbortSignal): Promise<OpenStore>
  /** Told when it becomes unreachable, and when it is back; public text. */
  readonly onWarning: (message: string) => void
}

/** Longest time an attempt to open or a probe may take, whatever `timeout_seconds` allows an operation. */
const ATTEMPT_SECONDS = 10
/** Between probes of a store that answers. */
const PROBE_MS = 60_000
/** Until the first look at a store that was the active one: that may be why it is not any more. */
const FIRST_PROBE_MS = 5000
/** Waits between attempts while it does not; the last one repeats. */
const BACKOFF_MS = [1000, 2000, 4000, 8000, 16_000, 30_000, 60_000] as const

export function createRetiredStore(options: RetiredStoreOptions): RetiredStore {
  const { realm, config, clock, random, open, onWarning } = options
  const attemptSeconds = Math.min(config.timeout_seconds, ATTEMPT_SECONDS)
  let store: OpenStore | undefined = options.opened && observed(options.opened)
  let opening: Promise<OpenStore> | undefined
  let healthy: boolean | undefined = store === undefined ? undefined : true
  let quarantine: { readonly error: unknown; readonly until: number } | undefined
  let failures = 0
  let cancelTimer: (() => void) | undefined
  const closing = new AbortController()

  function unavailable(cause: unknown): Error {
    const waitMs = (quarantine?.until ?? 0) - clock.now()
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
    const reason = publicReason(cause).replace(/\.(?: Retry later\.)?$/, '')
    return kmsError('BackendUnavailable', { store: realm, reason }, { cause, retryAfterSeconds })
  }

  function schedule(ms: number): void {
    cancelTimer?.()
    cancelTimer = clock.after(jitter(ms, random), () => void probe())
  }

  /** The same store; what fails because it cannot be reached names the realm, and has it looked at now. */
  function observed(opened: OpenStore): OpenStore {
    const observe = async <T>(work: Promise<T>): Promise<T> => {
      try {
        return await work
      } catch (error) {
        if (!isKmsError(error, 'BackendUnavailable', 'BackendTimeout') || closing.signal.aborted) throw error
        if (quarantine === undefined) schedule(0)
        throw unavailable(error)
      }
    }
    return {
      ...opened,
      call: (work) => observe(opened.call(work)),
      describe: (name, cached) => observe(opened.describe(name, cached)),
    }
  }

  function succeeded(): void {
    if (quarantine !== undefined) onWarning(`Retired key store ${realm} answers again.`)
    quarantine = undefined
    healthy = true
    failures = 0
    schedule(PROBE_MS)
  }

  function failed(error: unknown): void {
    if (quarantine === undefined) {
      onWarning(`Retired key store ${realm} cannot be used and is set aside: ${publicReason(error)}`)
    }
    const wait = BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)] as number
    healthy = false
    quarantine = { error, until: clock.now() + wait }
    schedule(wait)
  }

  /** Opens it unless it is open; whoever asks meanwhile shares the attempt. */
  function ensureOpen(): Promise<OpenStore> {
    if (store !== undefined) return Promise.resolve(store)
    if (opening !== undefined) return opening
    opening = open(attemptSeconds, closing.signal)
    opening.then(
      (opened) => {
        opening = undefined
        if (closing.signal.aborted) {
          opened.retire(0).catch(() => {})
          return
        }
        store = observed(opened)
        succeeded()
      },
      (error: unknown) => {
        opening = undefined
        if (!closing.signal.aborted) failed(error)
      },
    )
    return opening
  }

  async function probe(): Promise<void> {
    const probed = store
    if (probed === undefined) {
      await ensureOpen().catch(() => {})
      return
    }
    try {
      await withDeadline(probed.backend.health(), attemptSeconds, clock)
      if (store === probed) succeeded()
    } catch (error) {
      if (store === probed) failed(error)
    }
  }

  schedule(store === undefined ? 0 : FIRST_PROBE_MS)

  return {
    realm,
    get health() {
      return {
        healthy,
        lastError: quarantine === undefined ? undefined : publicReason(quarantine.error),
        credentialsExpireAt: store?.backend.credentialsExpireAt,
      }
    },

    async get() {
      if (closing.signal.aborted) throw kmsError('BackendUnavailable', { store: realm, reason: 'it was closed' })
      if (quarantine !== undefined) throw unavailable(quarantine.error)
      try {
        await ensureOpen()
      } catch (error) {
        throw unavailable(error)
      }
      if (store === undefined) throw kmsError('BackendUnavailable', { store: realm, reason: 'it was closed' })
      return store
    },

    async close(seconds) {
      closing.abort()
      cancelTimer?.()
      const opened = store
      store = undefined
      await opened?.retire(healthy === false ? 0 : seconds)
    },
  }
}
