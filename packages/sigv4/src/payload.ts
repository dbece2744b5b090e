import { hash } from 'node:crypto'
import type { ChecksumAlgorithm } from './checksum.ts'
import { SigV4Error } from './sigv4-error.ts'

/**
 * What a signature says about the body:
 *
 * - `sha256`: it has this hash (64 lower-case hex digits). The body must be compared with it ({@link checkPayload}).
 * - `body`: nothing was declared, so the hash of the body received goes into the signature and proves it.
 * - `unsigned`: nothing (`UNSIGNED-PAYLOAD`). Whoever holds the connection can replace the body; the caller decides
 *   whether that is acceptable.
 * - `chunked`: it arrives in the `aws-chunked` encoding, which `decodeChunks` takes off and checks.
 */
export type Payload =
  | { readonly kind: 'sha256'; readonly sha256: string }
  | { readonly kind: 'body' }
  | { readonly kind: 'unsigned' }
  | ChunkedPayload

/** A body in chunks, as the headers announce it. */
export interface ChunkedPayload {
  readonly kind: 'chunked'
  readonly form: ChunkedForm
  /** Whether every chunk, and the trailer, is signed. If not, whoever holds the connection can replace the body. */
  readonly signed: boolean
  /** The checksum that follows the last chunk; `undefined` for the form without a trailer. */
  readonly trailer: ChecksumAlgorithm | undefined
  /** Size of the decoded body in bytes, `x-amz-decoded-content-length`. */
  readonly decodedLength: number
  /** `Content-Encoding` without `aws-chunked`, to be stored with the object; `undefined` when nothing is left. */
  readonly contentEncoding: string | undefined
}

/** Amazon S3 API reference, "Authenticating requests: using the Authorization header", `x-amz-content-sha256`. */
export type ChunkedForm =
  | 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
  | 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'
  | 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'

/** SHA-256 of no bytes. */
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

const sha256Hex = /^[0-9a-f]{64}$/

/** Whether `text` is a SHA-256 hash as signatures spell it. */
export function isSha256Hex(text: string): boolean {
  return sha256Hex.test(text)
}

/** Reads the value of `x-amz-content-sha256` where the body is not chunked. */
export function parsePayload(declared: string): Payload {
  if (isSha256Hex(declared)) return { kind: 'sha256', sha256: declared }
  if (declared === UNSIGNED_PAYLOAD) return { kind: 'unsigned' }
  if (declared.startsWith('STREAMING-')) {
    throw new SigV4Error('NotImplemented', 'Chunked bodies (x-amz-content-sha256: STREAMING-…) are not supported here.')
  }
  throw new SigV4Error(
    'InvalidArgument',
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a SHA-256 hash in lower-case hex.',
  )
}

/**
 * Compares the body received with the hash that was signed. Throws {@link SigV4Error} `XAmzContentSHA256Mismatch`. Passes
 * when no hash was declared: then the signature itself covers the body, or it was meant to be unsigned. A chunked body is
 * checked by `decodeChunks`; giving it to this is a `TypeError`.
 */
export function checkPayload(
  claim: { readonly payload: Payload },
  body: Uint8Array | { readonly sha256: string },
): void {
  if (claim.payload.kind === 'chunked') throw new TypeError('A chunked body is checked by decodeChunks.')
  if (claim.payload.kind !== 'sha256') return
  const received = body instanceof Uint8Array ? hash('sha256', body, 'hex') : body.sha256
  if (received !== claim.payload.sha256) {
    throw new SigV4Error('XAmzContentSHA256Mismatch', 'The body received does not match x-amz-content-sha256.')
  }
}
