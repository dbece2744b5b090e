import type { Buffer } from 'node:buffer'
import type { Realm } from '../envelope/envelope.ts'

/** A wrapping key that waits for the material it was made for. */
export interface ImportTicket {
  /** 32 hex digits; not secret. */
  readonly id: string
  /** The key store the material is for. */
  readonly realm: Realm
  /** The only name the key may get; absent: any. */
  readonly keyName?: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** RSA private key, PKCS #8 in DER. Whoever holds the ticket zeroes it. */
  readonly privateKey: Buffer
}

/** Where tickets are kept, durably. All verbs throw `StorageFailed` when they could not write. */
export interface ImportStore {
  /** Keeps a new ticket. Those that expired go, and the oldest when there are too many. */
  save(ticket: ImportTicket, now: number): Promise<void>
  /** A ticket; `used`, once it was claimed; `undefined` when it is not known, or not any more. */
  load(id: string): Promise<ImportTicket | 'used' | undefined>
  /** Uses a ticket up; false when somebody else has. Of concurrent claims exactly one is true, across restarts too. */
  claim(ticket: ImportTicket): Promise<boolean>
  /** Takes back a claim that nothing came of. */
  release(id: string): Promise<void>
  /** Removes the private key of a claimed ticket for good. */
  finish(id: string): Promise<void>
  /** Removes what has expired. */
  sweep(now: number): Promise<void>
}
