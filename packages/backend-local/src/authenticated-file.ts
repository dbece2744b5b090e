import { Buffer } from 'node:buffer'
import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Realm } from '@kms/core'
import { lp } from '@kms/core/internal'

/** What a file of the store is; part of what its MAC covers, so that no file passes for one of another kind. */
export type FileKind = 'store' | 'key' | 'tombstone' | 'alias' | 'version' | 'restore'

/** Newest format this release reads and the one it writes. */
export const FILE_FORMAT = 1 as const

/** A file larger than this was not written by us. */
export const MAX_FILE_BYTES: number = 4 * 1024 * 1024

/** What is said of a file whose KEK is not held: a file of before a re-seal, or one of another store. */
export const UNKNOWN_KEK = 'names a key-encryption key that store.json does not hold'

/** A file taken apart, nothing of it believed yet. */
export interface RawFile {
  /** The exact bytes of line 1. */
  readonly line: Buffer
  readonly json: Readonly<Record<string, unknown>>
  readonly mac: Buffer
}

const NEWLINE = 0x0a
const MAC_HEX = 64

/** The MAC key made from a KEK or root key (formats §6): HKDF-SHA-256(key, salt realm, info). */
export function deriveMacKey(key: Uint8Array, realm: Realm, info: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, Buffer.from(realm, 'hex'), info, 32)))
}

function macOf(kind: FileKind, line: Buffer, macKey: KeyObject): Buffer {
  return createHmac('sha256', macKey).update(lp(kind)).update(lp(line)).digest()
}

/** Two lines: the JSON, then its MAC as 64 hex digits. */
export function encodeFile(json: { readonly kind: FileKind }, macKey: KeyObject): Buffer {
  const line = Buffer.from(JSON.stringify(json))
  return Buffer.concat([line, Buffer.from(`\n${macOf(json.kind, line, macKey).toString('hex')}\n`)])
}

/** Takes a file apart, or returns `undefined` when it does not have the shape of {@link encodeFile} to the byte. */
export function splitFile(bytes: Buffer): RawFile | undefined {
  const end = bytes.length - MAC_HEX - 2
  if (end < 2 || bytes[end] !== NEWLINE || bytes.at(-1) !== NEWLINE || bytes.indexOf(NEWLINE) !== end) return undefined
  const hex = bytes.toString('latin1', end + 1, bytes.length - 1)
  if (!/^[0-9a-f]{64}$/.test(hex)) return undefined
  const line = bytes.subarray(0, end)
  let json: unknown
  try {
    json = JSON.parse(line.toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  return { line, json: json as Readonly<Record<string, unknown>>, mac: Buffer.from(hex, 'hex') }
}

/** Whether the file is what the holder of `macKey` wrote as a file of this kind. */
export function isAuthentic(file: RawFile, kind: FileKind, macKey: KeyObject): boolean {
  return timingSafeEqual(macOf(kind, file.line, macKey), file.mac)
}

/** The KEK that a file says it is authenticated under; `undefined` when it says nothing that can be read. */
export function kekNamedBy(bytes: Buffer): string | undefined {
  const kek = splitFile(bytes)?.json['kek']
  return typeof kek === 'string' ? kek : undefined
}

/** The format of a file when it is newer than this release, which can't know how to authenticate it. */
export function newerFormat(file: RawFile): number | undefined {
  const format = file.json['format']
  return typeof format === 'number' && Number.isInteger(format) && format > FILE_FORMAT ? format : undefined
}
