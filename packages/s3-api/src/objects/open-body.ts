import type { FetchSegment, ReadableObject } from '@kms/sse'
import type { BodyStream } from '../reply/answer.ts'
import type { OpenedObject } from '../store/object-store.ts'

/** Where a record's segments lie in the stored body: parts one behind the other. */
export function segmentsOf(opened: OpenedObject): FetchSegment {
  return ({ partOffset, start, end }) => opened.read({ start: partOffset + start, end: partOffset + end })
}

/**
 * The plaintext of an opened object as a reply. What is wrong with its beginning is thrown here, while a status can still say so.
 * Closes the object when it was read, or need not be.
 */
export async function bodyStream(opened: OpenedObject, readable: ReadableObject): Promise<BodyStream> {
  const plaintext = readable.read(segmentsOf(opened))
  const cancel = async (): Promise<void> => {
    await plaintext.return()
    await opened.close()
  }
  try {
    const first = await plaintext.next()
    return {
      length: readable.length,
      async *chunks() {
        if (first.done === true) return
        yield first.value
        yield* plaintext
      },
      cancel,
    }
  } catch (error) {
    await cancel()
    throw error
  }
}
