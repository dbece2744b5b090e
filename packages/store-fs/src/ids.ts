import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'

/** A name for a body, a write or a part: 16 random bytes in hex. */
export function newId(): string {
  return randomBytes(16).toString('hex')
}

/** A name for an upload that sorts by its creation: 8 bytes of time, 16 random ones, in hex. */
export function newUploadId(now: number): string {
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(now))
  return time.toString('hex') + randomBytes(16).toString('hex')
}

/** The bytes of an upload id; `undefined` for what cannot be one. */
export function uploadIdBytes(uploadId: string): Buffer | undefined {
  return /^[0-9a-f]{48}$/.test(uploadId) ? Buffer.from(uploadId, 'hex') : undefined
}
