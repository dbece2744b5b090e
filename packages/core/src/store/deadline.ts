import type { Clock } from '../clock.ts'
import { kmsError } from '../errors/kms-error.ts'

/** Bounds operations in time. */
export interface Deadline {
  /** Settles as `work` does, or rejects with `BackendTimeout` when the time is up; `work` itself goes on. */
  bound<T>(work: Promise<T>): Promise<T>
}

interface Pending {
  readonly expiresAt: number
  readonly expire: () => void
}

/**
 * A deadline of `seconds` for each operation. All have the same length, so they expire in the order they came: one timer
 * serves them all, and a finished operation costs no timer at all.
 */
export function createDeadline(seconds: number, clock: Clock): Deadline {
  const pending = new Set<Pending>()
  let armed = false

  function arm(ms: number): void {
    armed = true
    clock.after(ms, () => {
      armed = false
      const now = clock.now()
      for (const operation of pending) {
        if (operation.expiresAt > now) {
          arm(operation.expiresAt - now)
          return
        }
        pending.delete(operation)
        operation.expire()
      }
    })
  }

  return {
    bound(work) {
      return new Promise((resolve, reject) => {
        const operation: Pending = {
          expiresAt: clock.now() + seconds * 1000,
          expire: () => reject(kmsError('BackendTimeout', { seconds })),
        }
        pending.add(operation)
        if (!armed) arm(seconds * 1000)
        work.then(
          (value) => {
            pending.delete(operation)
            resolve(value)
          },
          (error: unknown) => {
            pending.delete(operation)
            reject(error instanceof Error ? error : kmsError('InternalError', undefined, { cause: error }))
          },
        )
      })
    },
  }
}

/** {@link Deadline.bound} for a single piece of work; `onTimeout` is called when the time is up. */
export function withDeadline<T>(work: Promise<T>, seconds: number, clock: Clock, onTimeout?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(seconds * 1000, () => {
      reject(kmsError('BackendTimeout', { seconds }))
      onTimeout?.()
    })
    work.finally(cancel).then(resolve, reject)
  })
}
