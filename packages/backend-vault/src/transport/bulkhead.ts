import { kmsError } from '@kms/core'
import type { Operation } from './operation.ts'

/** Bounds how many requests are under way at once. */
export interface Bulkhead {
  /** Runs `work` when there is room. Throws `BackendUnavailable` when too many wait already, and why the operation ended. */
  run<T>(operation: Operation, work: () => Promise<T>): Promise<T>
}

export interface BulkheadOptions {
  readonly slots: number
  readonly queue: number
  readonly place: string
}

/** A bulkhead belongs to one opened backend; what keeps its token alive does not pass through it. */
export function createBulkhead({ slots, queue, place }: BulkheadOptions): Bulkhead {
  let busy = 0
  const waiting = new Set<() => void>()

  async function enter(operation: Operation): Promise<void> {
    if (busy < slots) {
      busy += 1
      return
    }
    if (waiting.size >= queue) {
      const reason = `${queue} requests are waiting for it already`
      throw kmsError('BackendUnavailable', { store: place, reason }, { retryAfterSeconds: 1 })
    }
    let handed = false
    await operation.attempt(
      Number.POSITIVE_INFINITY,
      (signal) =>
        new Promise<void>((resolve) => {
          const go = (): void => {
            handed = true
            resolve()
          }
          waiting.add(go)
          signal.addEventListener(
            'abort',
            () => {
              waiting.delete(go)
              resolve()
            },
            { once: true },
          )
        }),
    )
    // A slot that came too late goes to the next one.
    if (!handed) operation.throwIfOver()
  }

  function leave(): void {
    const [next] = waiting
    if (next === undefined) {
      busy -= 1
      return
    }
    waiting.delete(next)
    next()
  }

  return {
    async run(operation, work) {
      await enter(operation)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
