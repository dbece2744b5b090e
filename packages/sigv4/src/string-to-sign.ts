import { hash } from 'node:crypto'

export const ALGORITHM = 'AWS4-HMAC-SHA256'

/** The parts of a canonical request, each in canonical form. */
export interface CanonicalRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  /** `name:value` lines, each ended by a line feed. */
  readonly headers: string
  /** As listed, joined by `;`. */
  readonly signedHeaders: string
  readonly payloadHash: string
}

/** IAM User Guide, "Create a signed AWS API request", step 1. */
export function formatCanonicalRequest(request: CanonicalRequest): string {
  return `${request.method}\n${request.path}\n${request.query}\n${request.headers}\n${request.signedHeaders}\n${request.payloadHash}`
}

/**
 * Steps 2 and 3. Characters are hashed as Latin-1: that is how Node hands over header bytes, so the hash covers the bytes
 * that were sent, in whichever charset. `scope` is `<day>/<region>/<service>/aws4_request`.
 */
export function formatStringToSign(canonicalRequest: string, timestamp: string, scope: string): string {
  const digest = hash('sha256', latin1(canonicalRequest), 'hex')
  return `${ALGORITHM}\n${timestamp}\n${scope}\n${digest}`
}

// Written and hashed in one go, so that no request leaves a buffer behind to be collected.
const scratch = Buffer.allocUnsafeSlow(8192)

function latin1(text: string): Uint8Array {
  if (text.length > scratch.length) return Buffer.from(text, 'latin1')
  return scratch.subarray(0, scratch.write(text, 'latin1'))
}
