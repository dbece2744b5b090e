import type { Buffer } from 'node:buffer'
import { isKmsError, type KmsError, kmsError } from '../../errors/kms-error.ts'
import type { DataKeySpec, WrapInput } from './data-plane.ts'
import type { DataOperations } from './operations.ts'

/** One operation of a batch, as the method of the data plane takes it. */
export type BatchItem = WrapInput &
  (
    | { readonly operation: 'generate_data_key'; readonly spec: DataKeySpec }
    | { readonly operation: 'encrypt'; readonly plaintext: Uint8Array }
    | { readonly operation: 'decrypt'; readonly ciphertext: Buffer }
  )

/** What came of one operation: what its method gives. */
export interface BatchResult {
  readonly keyId: string
  readonly keyVersion: number
  readonly ciphertext?: Buffer
  /** Owned by the caller, who zeroes it after use. */
  readonly plaintext?: Buffer
}

/** Does the operations side by side; the outcome of each, in order. What one throws is no other's concern. */
export function runBatch(
  items: readonly BatchItem[],
  operations: DataOperations,
): Promise<readonly (BatchResult | KmsError)[]> {
  return Promise.all(
    items.map((item) =>
      perform(item, operations).catch((error: unknown) =>
        isKmsError(error) ? error : kmsError('InternalError', undefined, { cause: error }),
      ),
    ),
  )
}

function perform(item: BatchItem, { generateDataKey, encrypt, decrypt }: DataOperations): Promise<BatchResult> {
  switch (item.operation) {
    case 'generate_data_key':
      return generateDataKey(item)
    case 'encrypt':
      return encrypt(item)
    case 'decrypt':
      return decrypt(item)
  }
}
