/** Everything an `ObjectStore` refuses, and what its storage may do to it. */
export type ObjectStoreErrorCode =
  | 'BucketAlreadyExists'
  | 'BucketNotEmpty'
  | 'Conflict'
  | 'Damaged'
  | 'NewerFormat'
  | 'NoSuchBucket'
  | 'NoSuchKey'
  | 'NoSuchUpload'
  | 'PartChanged'
  | 'StorageFailed'

/**
 * What a store throws on purpose. `name` is `ObjectStoreError`: stores outside this package make their own, and are recognised
 * by it, never with `instanceof`. `message` is for operators: it may hold paths, and is not for clients.
 */
export interface ObjectStoreError extends Error {
  readonly name: 'ObjectStoreError'
  readonly code: ObjectStoreErrorCode
}

const CODES: ReadonlySet<unknown> = new Set<ObjectStoreErrorCode>([
  'BucketAlreadyExists',
  'BucketNotEmpty',
  'Conflict',
  'Damaged',
  'NewerFormat',
  'NoSuchBucket',
  'NoSuchKey',
  'NoSuchUpload',
  'PartChanged',
  'StorageFailed',
])

/** Makes one. */
export function objectStoreError(code: ObjectStoreErrorCode, message: string, cause?: unknown): ObjectStoreError {
  const error = new Error(message, cause === undefined ? undefined : { cause })
  return Object.assign(error, { name: 'ObjectStoreError', code } as const)
}

/** Whether `error` is a store's, optionally with one of the given codes. */
export function isObjectStoreError(
  error: unknown,
  ...codes: readonly ObjectStoreErrorCode[]
): error is ObjectStoreError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code } = error as { name?: unknown; code?: unknown }
  if (name !== 'ObjectStoreError' || !CODES.has(code)) return false
  return codes.length === 0 || codes.includes(code as ObjectStoreErrorCode)
}
