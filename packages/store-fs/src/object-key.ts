import { Buffer } from 'node:buffer'

const SEPARATOR = Buffer.of(0)

/** Where an object stands in the database. Names of buckets hold no null byte, so no bucket reaches into another. */
export function objectKey(bucket: string, key: string): Buffer {
  return Buffer.concat([Buffer.from(bucket, 'latin1'), SEPARATOR, Buffer.from(key, 'utf8')])
}

/** The UTF-8 bytes of the key in what {@link objectKey} made for a bucket. */
export function keyBytes(bucket: string, bytes: Buffer): Buffer {
  return bytes.subarray(bucket.length + 1)
}

/** The smallest byte string above all that begin with `prefix`, which is not made of 0xFF alone. */
export function above(prefix: Buffer): Buffer {
  let length = prefix.length
  while (prefix[length - 1] === 0xff) length -= 1
  const bound = Buffer.from(prefix.subarray(0, length))
  bound[length - 1] = (bound[length - 1] as number) + 1
  return bound
}

/** The smallest byte string above `bytes` itself. */
export function after(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, SEPARATOR])
}
