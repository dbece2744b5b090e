import { Buffer } from 'node:buffer'
import { createHash, timingSafeEqual } from 'node:crypto'
import { argon2idAsync } from '@noble/hashes/argon2.js'
import { label } from '../bytes/framing.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import { deriveStreamKeys, type StreamKeys } from '../stream/stream-keys.ts'
import type { ArchiveKdf, ArchiveKeyOrigin, ArchivePrefix } from './archive-header.ts'

/** What an archive is sealed with: words, or 32 bytes that an operator keeps. */
export type ArchiveSecret = { readonly passphrase: string } | { readonly key: Uint8Array }

const SALT_BYTES = 16
/** An archive may be attacked at leisure: the second recommended option of RFC 9106, §4. */
const KDF: ArchiveKdf = { memoryKib: 65_536, iterations: 3, parallelism: 4 }

const KEY_ID_LABEL = label('kms/archive-key-id/v1')
const INFO_LABEL = label('kms/archive/v1')

/** Says in a header how `secret` becomes the key of a new archive. */
export function originOf(secret: ArchiveSecret, random: Random, kdf: ArchiveKdf = KDF): ArchiveKeyOrigin {
  if ('passphrase' in secret) return { kind: 'passphrase', kdf, salt: random(SALT_BYTES) }
  return { kind: 'key', keyId: idOf(secret.key) }
}

function idOf(key: Uint8Array): Buffer {
  return createHash('sha256').update(KEY_ID_LABEL).update(key).digest().subarray(0, 16)
}

/** The keys of an archive's frames: bound to every byte of its header. */
export async function archiveKeys(
  secret: ArchiveSecret,
  origin: ArchiveKeyOrigin,
  head: Uint8Array,
  salt: Uint8Array,
): Promise<StreamKeys> {
  const key = await keyOf(secret, origin)
  try {
    return deriveStreamKeys(key, salt, Buffer.concat([INFO_LABEL, head]))
  } finally {
    key.fill(0)
  }
}

/**
 * {@link archiveKeys} of an archive that exists. Throws `ArchiveKeyMismatch` when `secret` is of another kind or another one;
 * that the header was changed looks the same.
 */
export async function openArchiveKeys(secret: ArchiveSecret, prefix: ArchivePrefix): Promise<StreamKeys> {
  const { header, head, salt, commitment } = prefix
  const { origin } = header
  if ('key' in secret ? origin.kind !== 'key' || !origin.keyId.equals(idOf(secret.key)) : origin.kind === 'key') {
    throw kmsError('ArchiveKeyMismatch', { needed: origin.kind === 'key' ? 'a key' : 'a passphrase' })
  }
  const keys = await archiveKeys(secret, origin, head, salt)
  if (!timingSafeEqual(keys.commitment, commitment)) {
    throw kmsError('ArchiveKeyMismatch', { needed: origin.kind === 'key' ? 'a key' : 'a passphrase' })
  }
  return keys
}

async function keyOf(secret: ArchiveSecret, origin: ArchiveKeyOrigin): Promise<Buffer> {
  if ('key' in secret || origin.kind === 'key') return Buffer.from('key' in secret ? secret.key : [])
  const passphrase = Buffer.from(secret.passphrase, 'utf8')
  const { memoryKib: m, iterations: t, parallelism: p } = origin.kdf
  try {
    // The asynchronous variant gives way to other work every 10 ms.
    const key = await argon2idAsync(passphrase, origin.salt, { version: 0x13, m, t, p, dkLen: 32 })
    return Buffer.from(key.buffer, key.byteOffset, key.length)
  } finally {
    passphrase.fill(0)
  }
}
