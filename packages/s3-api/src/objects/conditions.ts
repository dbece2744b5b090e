import { notImplemented } from '../operation.ts'
import { httpTime } from '../reply/times.ts'
import type { S3Services } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'
import type { Expected, ObjectName } from '../store/object-store.ts'

type Lookup = (name: string) => string | undefined

/** What conditions are about. */
export interface Validators {
  /** Without quotes. */
  readonly etag: string
  /** Epoch milliseconds. */
  readonly modified: number
}

/**
 * Judges the conditions of a read (RFC 9110 §13.2.2, and "Conditional requests" of GetObject: an If-Match that holds
 * outweighs If-Unmodified-Since). Throws `PreconditionFailed`; returns whether the reply is 304.
 */
export function isNotModified(header: Lookup, { etag, modified }: Validators): boolean {
  const match = header('if-match')
  if (match !== undefined && !lists(match, etag)) throw failed('If-Match')
  const unmodified = timeOf(header('if-unmodified-since'))
  if (match === undefined && unmodified !== undefined && seconds(modified) > seconds(unmodified)) {
    throw failed('If-Unmodified-Since')
  }
  const noneMatch = header('if-none-match')
  if (noneMatch !== undefined) return lists(noneMatch, etag)
  const since = timeOf(header('if-modified-since'))
  return since !== undefined && seconds(modified) <= seconds(since)
}

/** Judges the conditions on the source of a copy: what would be 304 is `PreconditionFailed` here (CopyObject). */
export function requireSourceConditions(header: Lookup, validators: Validators): void {
  const source: Lookup = (name) => header(`x-amz-copy-source-${name}`)
  if (isNotModified(source, validators)) throw failed('x-amz-copy-source-If-None-Match')
}

/** What a reply with status 304 says. */
export function validatorHeaders({ etag, modified }: Validators): readonly (readonly [string, string])[] {
  return [
    ['last-modified', httpTime(modified)],
    ['etag', `"${etag}"`],
  ]
}

/** A condition on what a write replaces; `undefined` for none. */
export type WriteCondition = 'absent' | { readonly etag: string } | undefined

/** Throws `NotImplemented` for conditions S3 does not know on writes. */
export function readWriteCondition(header: Lookup): WriteCondition {
  const match = header('if-match')
  const noneMatch = header('if-none-match')
  if (match !== undefined && noneMatch !== undefined) throw notImplemented('If-Match together with If-None-Match')
  if (noneMatch !== undefined) {
    if (noneMatch !== '*') throw notImplemented('If-None-Match with another value than *')
    return 'absent'
  }
  if (match === undefined) return undefined
  if (match === '*') throw notImplemented('If-Match with the value *')
  return { etag: stripped(match) }
}

/**
 * Judges a condition by the object as it is now, and gives what the store is to hold on to until the write is done. Throws
 * `PreconditionFailed`, and `NoSuchKey` when there is nothing to match.
 */
export async function expectedNow(
  condition: WriteCondition,
  name: ObjectName,
  { store, cipher }: S3Services,
): Promise<Expected | undefined> {
  if (condition === undefined) return undefined
  const found = await store.object(name)
  if (condition === 'absent') {
    if (found !== undefined) throw failed('If-None-Match')
    return 'absent'
  }
  if (found === undefined) throw s3Error('NoSuchKey', { details: { Key: name.key } })
  if (cipher.inspect(name, found.metadata).etag !== condition.etag) throw failed('If-Match')
  return { generation: found.generation }
}

function failed(condition: string): Error {
  return s3Error('PreconditionFailed', {
    message: 'At least one of the pre-conditions you specified did not hold',
    details: { Condition: condition },
  })
}

function lists(value: string, etag: string): boolean {
  return value.split(',').some((candidate) => candidate.trim() === '*' || stripped(candidate) === etag)
}

function stripped(value: string): string {
  return value
    .trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1')
}

/** A time that cannot be read is no condition (RFC 9110 §13.1.3). */
function timeOf(value: string | undefined): number | undefined {
  const time = value === undefined ? Number.NaN : Date.parse(value)
  return Number.isNaN(time) ? undefined : time
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
