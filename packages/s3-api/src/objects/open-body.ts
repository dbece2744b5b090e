import { Buffer } from 'node:buffer'
import type { FetchSegment, ReadableObject } from '@kms/sse'
import type { BodyStream, Reply } from '../reply/answer.ts'
import type { OpenedObject } from '../store/object-store.ts'

/** Where a record's segments lie in the stored body: parts one behind the other. */
export function segmentsOf(opened: OpenedObject): FetchSegment {
  return ({ partOffset, start, end }) => opened.read({ start: partOffset + start, end: partOffset + end })
}

/** What is read before anything of it is sent: a frame of what is encrypted. */
const SMALL_BYTES = 65_536

/**
 * The plaintext of an opened object as the body of a reply: the bytes themselves, if they are few. What is wrong with its beginning is
 * thrown here, while a status can still say so. Closes the object when it was read, or need not be.
 */
export async function openBody(
  opened: OpenedObject,
  readable: ReadableObject,
): Promise<Pick<Reply, 'bytes' | 'stream'>> {
  return readable.length <= SMALL_BYTES
    ? { bytes: await smallBody(opened, readable) }
    : { stream: await bodyStream(opened, readable) }
}

async function smallBody(opened: OpenedObject, readable: ReadableObject): Promise<Buffer> {
  try {
    const fetch = segmentsOf(opened)
    const chunks: Uint8Array[] = []
    for (const segment of readable.segments) for await (const chunk of fetch(segment)) chunks.push(chunk)
    const [only, ...more] = chunks
    const whole = only instanceof Buffer && more.length === 0
    return readable.open(whole ? only : Buffer.concat(chunks))
  } finally {
    readable.discard()
    await opened.close()
  }
}

async function bodyStream(opened: OpenedObject, readable: ReadableObject): Promise<BodyStream> {
  const plaintext = readable.readPieces(segmentsOf(opened))
  const cancel = async (): Promise<void> => {
    await plaintext.return()
    await opened.close()
  }
  try {
    let first: Awaited<ReturnType<typeof plaintext.next>> | undefined = await plaintext.next()
    return {
      length: readable.length,
      async next() {
        const { done, value } = first ?? (await plaintext.next())
        first = undefined
        return done === true ? undefined : value
      },
      cancel,
    }
  } catch (error) {
    await cancel()
    throw error
  }
}
