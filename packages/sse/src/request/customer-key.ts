import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { inspect } from 'node:util'
import { REDACTED } from '@kms/core'

/**
 * A customer's key (SSE-C), for the time of one request. However it is printed or serialised, it shows `***`.
 * Whoever read it from a request calls {@link destroy} when the request is over.
 */
export class CustomerKey {
  readonly #bytes: Buffer
  /** Base64 of the MD5 of the key: what replies echo. */
  readonly md5: string

  /** Takes a copy of 32 bytes. Throws `RangeError` for any other length. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== 32) throw new RangeError(`customer key: expected 32 bytes, got ${bytes.length}`)
    this.#bytes = Buffer.from(bytes)
    this.md5 = hash('md5', this.#bytes, 'base64')
  }

  /** The key itself: for the one place that uses it. The buffer is this object's own. */
  reveal(): Buffer {
    return this.#bytes
  }

  /** Erases the key; what it would open afterwards does not open. */
  destroy(): void {
    this.#bytes.fill(0)
  }

  toJSON(): string {
    return REDACTED
  }

  toString(): string {
    return REDACTED
  }
}

// Outside the class: a computed member name has no place in an isolated declaration.
Object.defineProperty(CustomerKey.prototype, inspect.custom, { value: () => REDACTED })
