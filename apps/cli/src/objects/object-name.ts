import { basename } from 'node:path'
import type { ObjectName } from '@kms/client'
import { usageError } from '../exit-codes.ts'

/** `bucket/key`, with `s3://` before it or not. A key that ends in `/`, or none, is completed with the name of `file`. */
export function readObjectName(text: string, file?: string): ObjectName {
  const { bucket, prefix } = readPrefix(text)
  const key = file !== undefined && (prefix === '' || prefix.endsWith('/')) ? prefix + basename(file) : prefix
  if (key === '') throw usageError(`${text}: expected bucket/key`)
  return { bucket, key }
}

/** `bucket` or `bucket/prefix`. */
export function readPrefix(text: string): { readonly bucket: string; readonly prefix: string } {
  const [, bucket, prefix = ''] = /^(?:s3:\/\/)?([^/:]+)(?:\/(.*))?$/s.exec(text) ?? []
  if (bucket === undefined) throw usageError(`${text}: expected bucket/key`)
  return { bucket, prefix }
}
