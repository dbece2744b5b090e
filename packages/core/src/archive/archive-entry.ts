import type { Buffer } from 'node:buffer'
import type { KeyRecord } from '../keys/key-backend.ts'

/** A key, without the material of its versions, which follow it. */
export interface ArchivedKey {
  readonly kind: 'key'
  readonly record: KeyRecord
}

/** A version of the key before it. */
export interface ArchivedVersion {
  readonly kind: 'version'
  readonly keyId: string
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** 32 hex digits. */
  readonly materialId: string
  /** 32 bytes. Whoever takes the entry zeroes them. */
  readonly material: Buffer
}

/** A version of the key before it that could not be read when the archive was made. */
export interface ArchivedGap {
  readonly kind: 'gap'
  readonly keyId: string
  readonly version: number
  /** Public. */
  readonly reason: string
}

/** What is left of a destroyed key. */
export interface ArchivedTombstone {
  readonly kind: 'tombstone'
  readonly keyId: string
  readonly lastVersion: number
  /** Milliseconds since the epoch. */
  readonly destroyedAt: number
}

/** A record that could not be read when the archive was made. */
export interface ArchivedRuin {
  readonly kind: 'ruin'
  /** As the listing named it: not always a key id. */
  readonly name: string
  /** Public. */
  readonly reason: string
}

/**
 * What an archive holds: keys, each followed by its versions from the oldest to the current one, tombstones and ruins,
 * ascending by the bytes of their ids.
 */
export type ArchiveEntry = ArchivedKey | ArchivedVersion | ArchivedGap | ArchivedTombstone | ArchivedRuin
