/**
 * Does `work` for each item, at most `width` at the same time. Begins nothing more after a rejection, and rejects with it once
 * all that was begun has ended: nothing goes on behind the back of whoever holds a lock.
 */
export async function inLanes<T>(
  items: Iterable<T> | AsyncIterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  const queue = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  const lane = async (): Promise<void> => {
    while (failure === undefined) {
      try {
        const next = await queue.next()
        if (next.done === true) return
        await work(next.value)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  if (failure !== undefined) throw failure.error
}
