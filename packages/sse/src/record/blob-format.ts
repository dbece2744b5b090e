import type { Buffer } from 'node:buffer'
import { kmsError } from '@kms/core'
import { type ByteReader, MalformedBytes } from './byte-reader.ts'

/** The only format there is. */
const FORMAT = 1

/** Reads magic and format of a blob. Throws `MalformedBytes` for another magic, `NewerFormat` for a later release's format. */
export function checkFormat(reader: ByteReader, magic: Buffer, path: string): void {
  if (!reader.take(magic.length).equals(magic)) throw new MalformedBytes('another magic')
  const found = reader.u8()
  if (found > FORMAT) throw kmsError('NewerFormat', { path, found, known: FORMAT })
  if (found !== FORMAT) throw new MalformedBytes('no format')
}
