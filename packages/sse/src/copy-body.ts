import type { Buffer } from 'node:buffer'
import type { ReadableObject } from './object-read.ts'
import type { SealedBody } from './object-write.ts'
import type { FetchSegment } from './stream/open-parts.ts'

export interface CopyBody {
  /** Opened with the range to copy. */
  readonly source: ReadableObject
  readonly fetch: FetchSegment
  /** Begun with `size: source.length`, whatever its mode; an object or a part. */
  readonly target: SealedBody
  /** Shown the plaintext as it passes, for checksums; it must not keep or change the bytes. */
  readonly observe?: (chunk: Uint8Array) => void
}

/**
 * The bytes to store of a copy, re-encrypted under the target's own key. When either side fails, or reading stops, the target is abandoned and the
 * keys of both are erased. The record comes from the target's `finish`.
 */
export async function* copyBody({ source, fetch, target, observe }: CopyBody): AsyncGenerator<Buffer, void, undefined> {
  let complete = false
  try {
    const plaintext = source.read(fetch)
    yield* target.seal(observe === undefined ? plaintext : shown(plaintext, observe))
    complete = true
  } finally {
    if (!complete) {
      source.discard()
      target.abandon()
    }
  }
}

async function* shown(
  source: AsyncIterable<Buffer>,
  observe: (chunk: Uint8Array) => void,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of source) {
    observe(chunk)
    yield chunk
  }
}
