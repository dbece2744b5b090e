import { Buffer } from 'node:buffer'
import { timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

/** What stands in for a secret wherever a person or a program reads a configuration. */
export const REDACTED = '***'

/** A secret of a configuration. However it is printed, serialised or inspected, it shows `***`. */
export class Secret {
  readonly #bytes: Buffer

  constructor(text: string) {
    this.#bytes = Buffer.from(text, 'utf8')
  }

  /** The secret itself: for the one place that uses it. */
  reveal(): string {
    return this.#bytes.toString('utf8')
  }

  /** Compared in constant time for equal lengths. */
  equals(other: Secret): boolean {
    return this.#bytes.length === other.#bytes.length && timingSafeEqual(this.#bytes, other.#bytes)
  }

  toJSON(): string {
    return REDACTED
  }

  toString(): string {
    return REDACTED
  }
}

// Outside the class: a computed member name has no place in an isolated declaration.
Object.defineProperty(Secret.prototype, inspect.custom, { value: () => REDACTED })
