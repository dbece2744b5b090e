import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'

type Headers = Readonly<Record<string, string>>

/** What a request says to write an object in a mode, and to read it. */
export interface ObjectMode {
  readonly name: string
  readonly write: Headers
  readonly read: Headers
}

const SSE = 'x-amz-server-side-encryption'
const customerKey = Buffer.alloc(32, 'a key the customer keeps')
const CUSTOMER: Headers = {
  [`${SSE}-customer-algorithm`]: 'AES256',
  [`${SSE}-customer-key`]: customerKey.toString('base64'),
  [`${SSE}-customer-key-md5`]: createHash('md5').update(customerKey).digest('base64'),
}

export const SSE_KMS: ObjectMode = {
  name: 'SSE-KMS',
  write: { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'main' },
  read: {},
}

export const OBJECT_MODES: readonly ObjectMode[] = [
  { name: 'plain', write: {}, read: {} },
  { name: 'SSE-S3', write: { [SSE]: 'AES256' }, read: {} },
  SSE_KMS,
  { name: 'SSE-C', write: CUSTOMER, read: CUSTOMER },
]
