import { makeCanary, opensCanary } from '../canary/canary.ts'
import type { Clock } from '../clock.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { ManagerEvent } from '../manager/manager-types.ts'
import { defaultKeyOf, type Snapshot } from '../manager/snapshot.ts'
import type { Random } from '../random.ts'
import { withDeadline } from '../store/deadline.ts'
import type { OpenStore } from '../store/open-store.ts'
import { jitter } from './jitter.ts'
import { publicReason } from './public-reason.ts'
import type { ServingListener } from './publisher.ts'

/** Asks the active store in the background whether it still does what it must. It tells, and never stops anything. */
export interface ActiveProbe extends ServingListener {
  /** Of what serves: what the newest probe found, and until the first one what the proof did. */
  readonly healthy: boolean
  /** Why it is not healthy; public text. */
  readonly lastError: string | undefined
}

export interface ActiveProbeOptions {
  readonly clock: Clock
  readonly random: Random
  readonly onProbed: (active: OpenStore, failed: boolean) => void
  readonly onEvent: (event: ManagerEvent) => void
}

/** After publishing: soon enough that a change gone bad can be returned from. */
const FIRST_MS = 5000
/** Between probes. */
const INTERVAL_MS = 15_000
/** While it is unhealthy. */
const UNHEALTHY_INTERVAL_MS = 5000
/** Longest time a probe may take, whatever `timeout_seconds` allows an operation. */
const PROBE_SECONDS = 10

export function createActiveProbe({ clock, random, onProbed, onEvent }: ActiveProbeOptions): ActiveProbe {
  let watched: Snapshot | undefined
  let lastError: string | undefined
  let cancel: (() => void) | undefined

  function schedule(ms: number): void {
    cancel?.()
    cancel = clock.after(jitter(ms, random), () => void probe())
  }

  function settle(active: OpenStore, error: unknown): void {
    const wasHealthy = lastError === undefined
    lastError = error === undefined ? undefined : publicReason(error)
    if (wasHealthy && lastError !== undefined) {
      onEvent({ event: 'kms_unhealthy', message: `The key store does not do what it must: ${lastError}` })
    } else if (!wasHealthy && lastError === undefined) {
      onEvent({ event: 'kms_healthy', message: 'The key store does what it must again.' })
    }
    schedule(lastError === undefined ? INTERVAL_MS : UNHEALTHY_INTERVAL_MS)
    onProbed(active, error !== undefined)
  }

  async function probe(): Promise<void> {
    const probed = watched
    if (probed === undefined) return
    const { active, config } = probed
    let found: unknown
    try {
      const seconds = Math.min(config.timeout_seconds, PROBE_SECONDS)
      await withDeadline(askHealthAndWrap(probed, random), seconds, clock)
    } catch (error) {
      found = error
    }
    if (watched === probed) settle(active, found)
  }

  return {
    get healthy() {
      return lastError === undefined
    },
    get lastError() {
      return lastError
    },
    onPublished(snapshot) {
      watched = snapshot
      lastError = undefined
      schedule(FIRST_MS)
    },
    onUnpublished() {
      watched = undefined
      lastError = undefined
      cancel?.()
    },
  }
}

/** Health, and a canary under the default key: not remembered, and not tried when the key itself may not be used. */
async function askHealthAndWrap(snapshot: Snapshot, random: Random): Promise<void> {
  const { active } = snapshot
  const { backend } = active
  await backend.health()
  const defaultKey = defaultKeyOf(snapshot)
  if (defaultKey === undefined) return
  try {
    const record = await active.describe(defaultKey.name, true)
    if (record.state !== 'Enabled') return
    if (await opensCanary(backend, await makeCanary(backend, record, random))) return
  } catch (error) {
    // About one key: whoever asks for it is told.
    if (isKmsError(error, 'KeyNotFound', 'KeyDestroyed', 'KeyUnavailable', 'KeyVersionNotCurrent')) return
    throw error
  }
  throw kmsError('ProofFailed', { step: 'probe', reason: 'what was wrapped did not unwrap to the same bytes' })
}
