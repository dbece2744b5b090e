import { createHash } from 'node:crypto'
import type { ArchiveUpload } from '@kms/client'

const PIECE = 65_536

/** An archive in memory, for the client to send. */
export function heldUpload(archive: Uint8Array): ArchiveUpload {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < archive.length; at += PIECE) yield archive.subarray(at, at + PIECE)
  }
  return { sha256: createHash('sha256').update(archive).digest('hex'), size: archive.length, bytes: pieces() }
}
