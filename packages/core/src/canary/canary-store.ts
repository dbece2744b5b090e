import type { Realm } from '../envelope/envelope.ts'

/** Proof that a key version still opens what it wrapped (formats §7). */
export interface Canary {
  readonly keyId: string
  readonly version: number
  /** 32 random bytes wrapped with context `{"kms:canary": realm}`. */
  readonly envelope: Buffer
  /** SHA-256 of those 32 bytes. */
  readonly digest: Buffer
}

/** What this server remembers of one key, whatever the backend says today. */
export interface KeyMemory {
  /** The highest version ever seen. */
  readonly highestVersion: number
  readonly destroyed: boolean
}

/** The canaries of one realm. */
export interface CanarySet {
  /** Whether no key of this realm was ever seen. */
  readonly isEmpty: boolean
  /** How many key versions there are canaries of, those of destroyed keys left out. */
  readonly keyVersions: number
  memory(keyId: string): KeyMemory | undefined
  /** Every key ever seen. */
  known(): AsyncIterable<readonly [keyId: string, memory: KeyMemory]>
  /** Remembers a canary, durably before it resolves; it also marks the version as seen. */
  add(canary: Canary): Promise<void>
  /** Remembers, durably, that a key was destroyed on purpose at `version`; its canaries no longer count. */
  markDestroyed(keyId: string, version: number): Promise<void>
  /**
   * All canaries when there are at most `limit`; otherwise those of `keyId` (if given), the newest half of the rest of
   * the limit, and a random sample. Canaries of destroyed keys are left out.
   */
  sample(limit: number, keyId?: string): Promise<readonly Canary[]>
}

/** Where canaries are kept: durably, beside the state document. */
export interface CanaryStore {
  /** The canaries of a realm, empty for one never seen. Repeated calls give the same set. */
  open(realm: Realm): Promise<CanarySet>
  /** Releases everything; `open`, and sets opened before, fail afterwards. */
  close(): Promise<void>
}
