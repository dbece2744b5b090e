import { kmsError } from '../errors/kms-error.ts'

/** Runs tasks one at a time, in the order they came; a failed one does not stop the next. */
export interface LifecycleQueue {
  /** Throws what the task throws, and `NotRunning` after `end`. */
  run<T>(task: () => Promise<T>): Promise<T>
  /** Runs the last task, after those that wait; none comes after it. */
  end(task: () => Promise<void>): Promise<void>
}

export function createLifecycleQueue(): LifecycleQueue {
  let tail: Promise<unknown> = Promise.resolve()
  let ending: Promise<void> | undefined

  function append<T>(task: () => Promise<T>): Promise<T> {
    const result = tail.then(task)
    tail = result.catch(() => {})
    return result
  }

  return {
    async run(task) {
      if (ending !== undefined) throw kmsError('NotRunning', { status: 'closed' })
      return append(task)
    },
    end: (task) => (ending ??= append(task)),
  }
}
