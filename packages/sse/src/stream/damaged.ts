import { kmsError } from '@kms/core'
import type { PartRead } from './object-layout.ts'

/** The error for a body that is not as it was written; names the part, where there are some. */
export function damaged(read: PartRead | undefined): Error {
  const number = read?.segments[0]?.partNumber ?? 0
  return kmsError('ObjectDamaged', { what: number === 0 ? 'its body was changed' : `part ${number} was changed` })
}
