import { s3Error } from '../s3-error.ts'

/** First segments of paths that are not S3's on this server: no bucket has these names, from the first release on. */
const RESERVED: ReadonlySet<string> = new Set(['rustfs', 'minio', 'health', 'metrics'])

/**
 * Checks the name of a bucket to be made (Amazon S3 User Guide, "General purpose bucket naming rules"). Throws `InvalidBucketName`.
 */
export function requireBucketName(name: string): void {
  const wellFormed =
    name.length >= 3 &&
    name.length <= 63 &&
    /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])$/.test(name) &&
    !/\.\.|\.-|-\./.test(name) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !/^(?:xn--|sthree-|amzn-s3-demo-)/.test(name) &&
    !/(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name)
  if (!wellFormed || RESERVED.has(name))
    throw s3Error('InvalidBucketName', { details: { BucketName: name.slice(0, 255) } })
}
