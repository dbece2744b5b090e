import type { Buffer } from 'node:buffer'
import { ByteWriter, digestOf, label } from '@kms/core/internal'

/** Where an object is; both well-formed Unicode, never normalised. */
export interface ObjectName {
  readonly bucket: string
  readonly key: string
}

/** Length of a write id: random for every object (or upload) that is begun. */
export const WRITE_ID_BYTES = 16

const LABEL = label('kms/object/v1')

/**
 * What everything of one object is tied to: SHA-256(label `kms/object/v1` ‖ lp(bucket) ‖ lp(key) ‖ write id) (formats §8).
 * Throws `RangeError` for names that are not well-formed: two of them could have the same bytes.
 */
export function objectBinding({ bucket, key }: ObjectName, writeId: Uint8Array): Buffer {
  if (!bucket.isWellFormed() || !key.isWellFormed()) throw new RangeError('bucket and key must be well-formed Unicode')
  return digestOf(new ByteWriter(256).raw(LABEL).framed(bucket).framed(key).raw(writeId).written)
}
