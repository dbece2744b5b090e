/**
 * Names of the encryption headers, in lower case (Amazon S3 API reference: PutObject, CopyObject, CreateMultipartUpload).
 * POST forms carry fields of the same names.
 */
export const SSE = 'x-amz-server-side-encryption'
export const SSE_KMS_KEY_ID = 'x-amz-server-side-encryption-aws-kms-key-id'
export const SSE_CONTEXT = 'x-amz-server-side-encryption-context'
export const SSE_BUCKET_KEY = 'x-amz-server-side-encryption-bucket-key-enabled'

/** The three headers of a customer's key. */
export interface CustomerKeyHeaders {
  readonly algorithm: string
  readonly key: string
  readonly md5: string
}

export const SSE_C: CustomerKeyHeaders = {
  algorithm: 'x-amz-server-side-encryption-customer-algorithm',
  key: 'x-amz-server-side-encryption-customer-key',
  md5: 'x-amz-server-side-encryption-customer-key-md5',
}

export const COPY_SOURCE_SSE_C: CustomerKeyHeaders = {
  algorithm: 'x-amz-copy-source-server-side-encryption-customer-algorithm',
  key: 'x-amz-copy-source-server-side-encryption-customer-key',
  md5: 'x-amz-copy-source-server-side-encryption-customer-key-md5',
}

/** The value of a request header (or form field), looked up by its lower-case name; repeated ones joined by `,`. */
export type HeaderLookup = (name: string) => string | undefined
