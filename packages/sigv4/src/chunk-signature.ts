import { hash, type KeyObject } from 'node:crypto'
import { type CredentialScope, formatScope } from './credential-scope.ts'
import { EMPTY_SHA256 } from './payload.ts'
import { computeSignature } from './signing-key.ts'
import { ALGORITHM } from './string-to-sign.ts'

/**
 * Makes the signatures of a chunked body one after the other, each over the one before (Amazon S3 API reference,
 * "Signature calculations: transferring payload in multiple chunks" and "… including trailing headers").
 */
export interface SignatureChain {
  /** The signature of the next chunk, 32 bytes; an empty one ends the body. */
  readonly chunk: (data: Uint8Array) => Buffer
  /** The signature of the trailer, `name:value` and a line feed, 32 bytes. */
  readonly trailer: (canonicalTrailer: string) => Buffer
}

/** `seed` is the signature of the request, 64 hex digits. */
export function createSignatureChain(
  key: KeyObject,
  timestamp: string,
  scope: CredentialScope,
  seed: string,
): SignatureChain {
  const context = `${timestamp}\n${formatScope(scope)}`
  let previous = seed
  const next = (stringToSign: string): Buffer => {
    const signature = computeSignature(key, stringToSign)
    previous = signature.toString('hex')
    return signature
  }
  return {
    chunk: (data) => {
      const digest = data.length === 0 ? EMPTY_SHA256 : hash('sha256', data, 'hex')
      return next(`${ALGORITHM}-PAYLOAD\n${context}\n${previous}\n${EMPTY_SHA256}\n${digest}`)
    },
    trailer: (canonicalTrailer) =>
      next(`${ALGORITHM}-TRAILER\n${context}\n${previous}\n${hash('sha256', canonicalTrailer, 'hex')}`),
  }
}
