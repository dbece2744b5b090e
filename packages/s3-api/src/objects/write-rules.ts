import { refuseAccessControlLists } from '../access/owner.ts'
import { s3Error } from '../s3-error.ts'

type Lookup = (name: string) => string | undefined

/** What a new object may not ask for here. Throws `AccessControlListNotSupported`, `InvalidStorageClass`, `InvalidRequest`. */
export function requireWritable(header: Lookup): void {
  refuseAccessControlLists(header)
  const storageClass = header('x-amz-storage-class')
  if (storageClass !== undefined && storageClass !== 'STANDARD') {
    throw s3Error('InvalidStorageClass', { details: { StorageClassRequested: storageClass.slice(0, 64) } })
  }
  const lock = ['mode', 'retain-until-date', 'legal-hold'].find(
    (name) => header(`x-amz-object-lock-${name}`) !== undefined,
  )
  if (lock !== undefined) throw s3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration')
}

/** 5 GiB: the largest object, or part, of one request. */
export const LARGEST_BODY: number = 5 * 1024 ** 3

/** The announced size of a body. Throws `MissingContentLength`, `EntityTooLarge`. */
export function requireSize(size: number | undefined): number {
  if (size === undefined || !Number.isSafeInteger(size)) throw s3Error('MissingContentLength')
  if (size <= LARGEST_BODY) return size
  throw s3Error('EntityTooLarge', {
    message: 'Your proposed upload exceeds the maximum allowed size',
    details: { ProposedSize: String(size), MaxSizeAllowed: String(LARGEST_BODY) },
  })
}
