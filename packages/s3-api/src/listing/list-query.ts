import { encodeName } from '../reply/xml-writer.ts'
import type { Query } from '../request/query.ts'
import { invalidArgument } from '../s3-error.ts'

const MOST = 1000

/** `max-keys` and its kin: at most 1000, which is also what is meant when it is absent. Throws `InvalidArgument`. */
export function readLimit(name: string, value: string | undefined): number {
  if (value === undefined || value === '') return MOST
  const number = Number(value)
  if (/^-?\d+$/.test(value) && (number < 0 || number > 2_147_483_647)) {
    throw invalidArgument(name, `Argument ${name} must be an integer between 0 and 2147483647`, value)
  }
  if (!/^\d+$/.test(value))
    throw invalidArgument(name, `Provided ${name} not an integer or within integer range`, value)
  return Math.min(number, MOST)
}

/** How names are written in a listing. */
export interface NameEncoding {
  readonly type: 'url' | undefined
  encode(name: string): string
}

/** Throws `InvalidArgument` for an encoding S3 does not know. */
export function readEncoding(query: Query): NameEncoding {
  const value = query.get('encoding-type')
  if (value === undefined || value === '') return { type: undefined, encode: (name) => name }
  if (value !== 'url') throw invalidArgument('encoding-type', 'Invalid Encoding Method specified in Request', value)
  return { type: 'url', encode: encodeName }
}
