import type { Clock } from '../clock.ts'
import { kmsError } from '../errors/kms-error.ts'

/** Settles as `work` does, or rejects with `BackendTimeout` after `seconds`, when `onTimeout` is called too. */
export function withDeadline<T>(work: Promise<T>, seconds: number, clock: Clock, onTimeout?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(seconds * 1000, () => {
      reject(kmsError('BackendTimeout', { seconds }))
      onTimeout?.()
    })
    work.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (error: unknown) => {
        cancel()
        reject(error instanceof Error ? error : kmsError('InternalError', undefined, { cause: error }))
      },
    )
  })
}
