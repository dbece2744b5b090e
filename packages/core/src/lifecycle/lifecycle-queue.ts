/** Runs tasks one at a time, in the order they came; a failed one does not stop the next. */
export interface LifecycleQueue {
  run<T>(task: () => Promise<T>): Promise<T>
}

export function createLifecycleQueue(): LifecycleQueue {
  let tail: Promise<unknown> = Promise.resolve()
  return {
    run(task) {
      const result = tail.then(task)
      tail = result.catch(() => {})
      return result
    },
  }
}
