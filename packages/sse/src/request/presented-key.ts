import { kmsError } from '@kms/core'
import type { EncryptionMode } from '../encryption-mode.ts'
import type { CustomerKey } from './customer-key.ts'
import { readCustomerKey, type SseTransport } from './customer-key-headers.ts'
import {
  COPY_SOURCE_SSE_C,
  type HeaderLookup,
  SSE,
  SSE_BUCKET_KEY,
  SSE_C,
  SSE_CONTEXT,
  SSE_KMS_KEY_ID,
} from './header-names.ts'

/**
 * The customer's key of a request that chooses no encryption, because its object or upload has one: GetObject, HeadObject,
 * GetObjectAttributes, UploadPart, UploadPartCopy, CompleteMultipartUpload, ListParts. Headers that choose one are refused (S3 API
 * reference, GetObject and HeadObject: 400). Throws as {@link readCustomerKey}, and `ValidationError`.
 */
export function presentedCustomerKey(header: HeaderLookup, transport: SseTransport): CustomerKey | undefined {
  const chosen = [SSE, SSE_KMS_KEY_ID, SSE_CONTEXT, SSE_BUCKET_KEY].find((name) => header(name) !== undefined)
  if (chosen !== undefined) {
    const reason = 'has no meaning here: encryption is chosen when an object is written. Leave the header out'
    throw kmsError('ValidationError', { path: chosen, reason })
  }
  return readCustomerKey(header, SSE_C, transport)
}

/** The customer's key of the source of CopyObject or UploadPartCopy. Throws as {@link readCustomerKey}. */
export function copySourceCustomerKey(header: HeaderLookup, transport: SseTransport): CustomerKey | undefined {
  return readCustomerKey(header, COPY_SOURCE_SSE_C, transport)
}

/**
 * A customer's key must come with every request for an object that has one, and with no other. Throws `InvalidRequest` (S3 API
 * reference, "Error responses"). Whether it is the right key shows when it is used.
 */
export function requireFittingKey(mode: EncryptionMode, customerKey: CustomerKey | undefined): void {
  if (mode === 'SSE-C' && customerKey === undefined) {
    throw kmsError('InvalidRequest', {
      reason: 'This object is encrypted under a customer-provided key. Send that key with every request for it.',
    })
  }
  if (mode !== 'SSE-C' && customerKey !== undefined) {
    throw kmsError('InvalidRequest', {
      reason: 'This object is not encrypted under a customer-provided key. Leave the key headers out.',
    })
  }
}
