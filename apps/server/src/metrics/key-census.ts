import type { Clock, KeyListing, KeyState } from '@kms/core'

/** What a look at the keys of the store in use found. */
export interface KeyCounts {
  /** `Unreadable` for records that cannot be read. */
  readonly byState: ReadonlyMap<KeyState | 'Unreadable', number>
  readonly truncated: boolean
  /** Seconds since the current version of an enabled key was made, of the oldest; `undefined` without enabled keys. */
  readonly oldestRotationSeconds: number | undefined
}

/** Counts keys now and then: what it tells may be old, and asking never waits. */
export interface KeyCensus {
  /** The last count; begins a new one when it is too old. */
  counts(): KeyCounts | undefined
}

export interface KeyCensusOptions {
  /** The first page of keys. */
  readonly list: (limit: number) => Promise<KeyListing>
  readonly clock: Clock
}

/** Reading a record is a request to the backend: a scrape every few seconds must not become a thousand of them. */
const MAX_AGE_MS = 300_000
const MAX_KEYS = 1000

const STATES: readonly (KeyState | 'Unreadable')[] = [
  'Enabled',
  'Disabled',
  'PendingDeletion',
  'Unavailable',
  'Unreadable',
]

export function createKeyCensus({ list, clock }: KeyCensusOptions): KeyCensus {
  let last: KeyCounts | undefined
  let triedAt = -Infinity

  async function count(): Promise<void> {
    try {
      last = summarise(await list(MAX_KEYS), clock.now())
    } catch {
      // Not running, or the store does not answer: other metrics say so.
      last = undefined
    }
  }

  return {
    counts() {
      const now = clock.now()
      if (now - triedAt >= MAX_AGE_MS) {
        triedAt = now
        void count()
      }
      return last
    },
  }
}

function summarise({ keys, unreadable, next }: KeyListing, now: number): KeyCounts {
  const byState = new Map<KeyState | 'Unreadable', number>(STATES.map((state) => [state, 0]))
  byState.set('Unreadable', unreadable.length)
  let oldest: number | undefined
  for (const { state, rotatedAt, createdAt } of keys) {
    byState.set(state, (byState.get(state) ?? 0) + 1)
    const madeAt = rotatedAt ?? createdAt
    if (state === 'Enabled' && (oldest === undefined || madeAt < oldest)) oldest = madeAt
  }
  const oldestRotationSeconds = oldest === undefined ? undefined : Math.max(0, now - oldest) / 1000
  return { byState, truncated: next !== undefined, oldestRotationSeconds }
}
