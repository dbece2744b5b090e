import type { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Realm } from '../envelope/envelope.ts'
import type { Random } from '../random.ts'
import { sealFrames } from '../stream/frame-stream.ts'
import { STREAM_SALT_BYTES } from '../stream/stream-keys.ts'
import type { ArchiveEntry } from './archive-entry.ts'
import { type ArchiveKdf, encodeArchiveHead } from './archive-header.ts'
import { type ArchiveSecret, archiveKeys, originOf } from './archive-key.ts'
import { encodeEnd, encodeEntry } from './entry-codec.ts'

export interface WriteArchiveOptions {
  readonly realm: Realm
  readonly createdAt: number
  readonly secret: ArchiveSecret
  readonly random: Random
  /** For tests: a passphrase that costs less. */
  readonly kdf?: ArchiveKdf
  /** Told of each entry as it is sealed. */
  readonly onEntry?: (entry: ArchiveEntry) => void
}

/**
 * Seals entries, in their order, as an archive (formats §12): a header, and frames of one stream whose last entry tells how
 * many there are and what they were. Memory: a frame. Material is zeroed once it is sealed.
 */
export async function* writeArchive(
  entries: AsyncIterable<ArchiveEntry>,
  { realm, createdAt, secret, random, kdf, onEntry = () => {} }: WriteArchiveOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const origin = originOf(secret, random, kdf)
  const head = encodeArchiveHead({ realm, createdAt, origin })
  const salt = random(STREAM_SALT_BYTES)
  const { cipherKey, commitment } = await archiveKeys(secret, origin, head, salt)
  yield head
  yield salt
  yield commitment
  yield* sealFrames(plaintextOf(entries, onEntry), cipherKey)
}

async function* plaintextOf(
  entries: AsyncIterable<ArchiveEntry>,
  onEntry: (entry: ArchiveEntry) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256')
  let count = 0
  for await (const entry of entries) {
    const bytes = encodeEntry(entry)
    if (entry.kind === 'version') entry.material.fill(0)
    hash.update(bytes)
    count++
    onEntry(entry)
    yield bytes
    bytes.fill(0)
  }
  yield encodeEnd({ entries: count, sha256: hash.digest('hex') })
}
