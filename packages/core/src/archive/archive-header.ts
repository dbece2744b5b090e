import { Buffer } from 'node:buffer'
import type { Realm } from '../envelope/envelope.ts'
import { kmsError } from '../errors/kms-error.ts'
import { STREAM_SALT_BYTES } from '../stream/stream-keys.ts'

/** Cost of Argon2id, version 0x13. */
export interface ArchiveKdf {
  readonly memoryKib: number
  readonly iterations: number
  readonly parallelism: number
}

/** How the key of an archive comes about: from a passphrase by Argon2id, or as it is, told from others by its id. */
export type ArchiveKeyOrigin =
  | { readonly kind: 'passphrase'; readonly kdf: ArchiveKdf; readonly salt: Buffer }
  | { readonly kind: 'key'; readonly keyId: Buffer }

/** What an archive says of itself before anything of it is opened; all of it is bound into the keys that open it. */
export interface ArchiveHeader {
  readonly realm: Realm
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly origin: ArchiveKeyOrigin
}

const MAGIC = Buffer.from('KMSA', 'latin1')
const FORMAT = 1
const PASSPHRASE = 1
const KEY = 2
const ID_BYTES = 16

/** Of the header that is bound into the keys. */
const HEAD_BYTES = 60
/** Of all that comes before the frames: head, salt, commitment. */
export const ARCHIVE_PREFIX_BYTES: number = HEAD_BYTES + STREAM_SALT_BYTES + 32

/** What comes before the frames of an archive, taken apart. */
export interface ArchivePrefix {
  readonly header: ArchiveHeader
  /** The bytes of the header. */
  readonly head: Buffer
  readonly salt: Buffer
  readonly commitment: Buffer
}

export function encodeArchiveHead({ realm, createdAt, origin }: ArchiveHeader): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  MAGIC.copy(head)
  head[4] = FORMAT
  head[5] = origin.kind === 'passphrase' ? PASSPHRASE : KEY
  head.write(realm, 8, 'hex')
  head.writeBigUInt64BE(BigInt(createdAt), 24)
  if (origin.kind === 'passphrase') {
    head.writeUInt32BE(origin.kdf.memoryKib, 32)
    head.writeUInt32BE(origin.kdf.iterations, 36)
    head.writeUInt32BE(origin.kdf.parallelism, 40)
    origin.salt.copy(head, 44)
  } else origin.keyId.copy(head, 44)
  return head
}

/**
 * Reads the first {@link ARCHIVE_PREFIX_BYTES} of an archive; nothing of it is proven. Throws `ArchiveDamaged` when they are
 * none, `UnsupportedArchive` for a format this release does not know.
 */
export function parseArchivePrefix(bytes: Buffer): ArchivePrefix {
  if (!bytes.subarray(0, 4).equals(MAGIC)) throw damaged('it does not begin as an archive does')
  const [, , , , format = FORMAT] = bytes
  if (format !== FORMAT) throw kmsError('UnsupportedArchive', { what: `format ${format}` })
  if (bytes.length !== ARCHIVE_PREFIX_BYTES) throw damaged('it is cut short')
  const head = bytes.subarray(0, HEAD_BYTES)
  const header = {
    realm: head.toString('hex', 8, 24),
    createdAt: Number(head.readBigUInt64BE(24)),
    origin: parseOrigin(head),
  }
  // Every field has one form, so that whatever else is in the header is damage.
  if (!Number.isSafeInteger(header.createdAt) || !encodeArchiveHead(header).equals(head)) {
    throw damaged('its header is not what was written')
  }
  const salt = bytes.subarray(HEAD_BYTES, HEAD_BYTES + STREAM_SALT_BYTES)
  return { header, head, salt, commitment: bytes.subarray(HEAD_BYTES + STREAM_SALT_BYTES) }
}

function parseOrigin(head: Buffer): ArchiveKeyOrigin {
  const last = Buffer.from(head.subarray(44, 44 + ID_BYTES))
  if (head[5] === KEY) return { kind: 'key', keyId: last }
  if (head[5] !== PASSPHRASE) throw kmsError('UnsupportedArchive', { what: `key kind ${head[5] ?? 0}` })
  const kdf = {
    memoryKib: head.readUInt32BE(32),
    iterations: head.readUInt32BE(36),
    parallelism: head.readUInt32BE(40),
  }
  // Read before anything can be authenticated: the bounds keep a forged header cheap.
  const fits =
    kdf.memoryKib >= 8192 &&
    kdf.memoryKib <= 1_048_576 &&
    kdf.iterations >= 1 &&
    kdf.iterations <= 16 &&
    kdf.parallelism >= 1 &&
    kdf.parallelism <= 16
  if (!fits) throw damaged('its header is not what was written')
  return { kind: 'passphrase', kdf, salt: last }
}

function damaged(reason: string): Error {
  return kmsError('ArchiveDamaged', { reason })
}
