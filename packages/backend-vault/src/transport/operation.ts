import { type Clock, type KmsError, kmsError } from '@kms/core'

/** One verb of the backend, from its beginning to its end: everything it sends shares one deadline. */
export interface Operation {
  /** Milliseconds left; 0 when it is over. */
  remaining(): number
  /**
   * Runs `work` for at most `ms` milliseconds and never beyond the deadline. The signal is aborted when the time is up, or
   * the backend is closed; then this throws why, if it was not only the shorter time.
   */
  attempt<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Waits. Throws as `attempt` when the operation ends meanwhile. */
  sleep(ms: number): Promise<void>
  /** Throws why the operation is over, if it is. */
  throwIfOver(): void
}

/** Starts operations, and ends them all. */
export interface Operations {
  /** Runs `work` as one operation. `signal` ends it early. */
  run<T>(work: (operation: Operation) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Ends what is under way, and refuses what comes, with `BackendUnavailable`. */
  close(): void
}

export interface OperationsOptions {
  readonly clock: Clock
  readonly timeoutSeconds: number
  /** Where the store is, for messages. */
  readonly place: string
}

export function createOperations({ clock, timeoutSeconds, place }: OperationsOptions): Operations {
  const underWay = new Set<(reason: KmsError) => void>()
  let closed = false

  const closedError = (): KmsError => kmsError('BackendUnavailable', { store: place, reason: 'it was closed' })

  return {
    async run(work, signal) {
      if (closed) throw closedError()
      signal?.throwIfAborted()
      const endsAt = clock.now() + timeoutSeconds * 1000
      const interrupts = new Set<() => void>()
      let over: Error | undefined

      function end(reason: Error): void {
        over ??= reason
        for (const interrupt of interrupts) interrupt()
      }

      function throwIfOver(): void {
        if (over === undefined && clock.now() >= endsAt) over = kmsError('BackendTimeout', { seconds: timeoutSeconds })
        if (over !== undefined) throw over
      }

      const remaining = (): number => (over === undefined ? Math.max(0, endsAt - clock.now()) : 0)

      const operation: Operation = {
        remaining,
        throwIfOver,

        async attempt(ms, attempted) {
          throwIfOver()
          const controller = new AbortController()
          const interrupt = (): void => controller.abort()
          const cancel = clock.after(Math.min(ms, remaining()), interrupt)
          interrupts.add(interrupt)
          try {
            return await attempted(controller.signal)
          } catch (error) {
            throwIfOver()
            throw error
          } finally {
            interrupts.delete(interrupt)
            cancel()
          }
        },

        async sleep(ms) {
          throwIfOver()
          await new Promise<void>((resolve) => {
            const done = (): void => {
              interrupts.delete(done)
              cancel()
              resolve()
            }
            const cancel = clock.after(Math.min(ms, remaining()), done)
            interrupts.add(done)
          })
          throwIfOver()
        },
      }

      const aborted = (): void => end(signal?.reason instanceof Error ? signal.reason : closedError())
      underWay.add(end)
      signal?.addEventListener('abort', aborted, { once: true })
      try {
        return await work(operation)
      } finally {
        underWay.delete(end)
        signal?.removeEventListener('abort', aborted)
      }
    },

    close() {
      closed = true
      for (const end of underWay) end(closedError())
    },
  }
}
