import type { Buffer } from 'node:buffer'
import { z } from '@hono/zod-openapi'
import {
  type BatchItem,
  type BatchResult,
  type DataKeySpec,
  type DataPlane,
  decodeEnvelope,
  type KmsManager,
  kmsError,
} from '@kms/core'
import { decodeBase64 } from '@kms/core/internal'
import type { Permission } from '../../access/gate.ts'
import { type BodyShape, isJsonObject, objectBody } from '../../request/read-json.ts'
import { fold } from '../fold.ts'
import { base64 } from '../reply-schemas.ts'
import type { KeyClaim } from '../route.ts'

const text = z.string('must be a string')
const keyId = text.nullish().openapi({ description: 'Id, alias, alias/<name> or ARN. Absent: the default key.' })
// As it came: core reads it, and zod's records drop a key called __proto__.
const encryptionContext = z
  .unknown()
  .optional()
  .openapi({ type: 'object', additionalProperties: { type: 'string' }, description: 'Authenticated, never secret.' })

/** What is common to the bodies of all operations. */
interface DataFields {
  readonly encryption_context?: unknown
}

/** The context of an operation, and who asks for it. */
export type Asking = Pick<BatchItem, 'context' | 'authorize'>

/** An operation on data, by itself or as an item of a batch. */
export interface DataOperation<B extends DataFields = DataFields> {
  readonly name: BatchItem['operation']
  readonly permission: Permission
  readonly body: BodyShape<B>
  /** The key a refused request was about. */
  key(json: unknown, manager: KmsManager): KeyClaim | undefined
  /** Throws `ValidationError`. What it returns is given to {@link discard} when it is done with. */
  read(body: B, asking: Asking): BatchItem
  readonly reply: Readonly<Record<string, z.ZodType>>
  /**
   * The result as the wire shows it: a reply with this `message`, or without one an item of a batch. Zeroes what was in
   * plaintext. Written out member by member: spreading two objects into one costs a tenth of a whole request.
   */
  show(result: BatchResult, message: string | undefined): object
}

/** Folded spelling → spec. */
const SPECS: ReadonlyMap<string, DataKeySpec> = new Map([
  ['aes256', 'AES_256'],
  ['aes128', 'AES_128'],
])

interface GenerateFields extends DataFields {
  readonly key_id?: string | null | undefined
  readonly key_spec?: string | null | undefined
}

export const generateDataKeyOperation: DataOperation<GenerateFields> = {
  name: 'generate_data_key',
  permission: ['kms:GenerateDataKey'],
  body: objectBody(
    z.strictObject({
      key_id: keyId,
      key_spec: text.nullish().openapi({ description: 'AES_256 (default) or AES_128', example: 'AES_256' }),
      encryption_context: encryptionContext,
    }),
  ),
  key: wrappingKey,
  read(body, { context, authorize }) {
    const spec = SPECS.get(fold(body.key_spec ?? 'AES_256'))
    if (spec === undefined) {
      throw kmsError('ValidationError', { path: 'key_spec', reason: 'must be AES_256 or AES_128' })
    }
    const operation = 'generate_data_key'
    const key = body.key_id ?? undefined
    return key === undefined ? { operation, spec, context, authorize } : { operation, key, spec, context, authorize }
  },
  reply: { key_id: z.string(), key_version: z.int(), plaintext_key: base64, ciphertext_blob: base64 },
  show: ({ keyId: key_id, keyVersion: key_version, plaintext, ciphertext }, message) => ({
    success: message === undefined ? undefined : true,
    message,
    key_id,
    key_version,
    plaintext_key: takePlaintext(plaintext),
    ciphertext_blob: ciphertext?.toString('base64'),
  }),
}

interface EncryptFields extends DataFields {
  readonly key_id?: string | null | undefined
  readonly plaintext: string
}

export const encryptOperation: DataOperation<EncryptFields> = {
  name: 'encrypt',
  permission: ['kms:Encrypt'],
  body: objectBody(
    z.strictObject({
      key_id: keyId,
      plaintext: text.openapi({ format: 'byte' }),
      encryption_context: encryptionContext,
    }),
  ),
  key: wrappingKey,
  read(body, { context, authorize }) {
    const operation = 'encrypt'
    const key = body.key_id ?? undefined
    const plaintext = requireBase64(body.plaintext, 'plaintext')
    return key === undefined
      ? { operation, plaintext, context, authorize }
      : { operation, key, plaintext, context, authorize }
  },
  reply: { key_id: z.string(), key_version: z.int(), ciphertext_blob: base64 },
  show: ({ keyId: key_id, keyVersion: key_version, ciphertext }, message) => ({
    success: message === undefined ? undefined : true,
    message,
    key_id,
    key_version,
    ciphertext_blob: ciphertext?.toString('base64'),
  }),
}

interface DecryptFields extends DataFields {
  readonly key_id?: string | null | undefined
  readonly ciphertext_blob: string
}

export const decryptOperation: DataOperation<DecryptFields> = {
  name: 'decrypt',
  permission: ['kms:Decrypt'],
  body: objectBody(
    z.strictObject({
      ciphertext_blob: text.openapi({ format: 'byte' }),
      key_id: text.nullish().openapi({ description: 'When given, it must be the key the ciphertext was made with.' }),
      encryption_context: encryptionContext,
    }),
  ),
  key: unwrappingKey,
  read(body, { context, authorize }) {
    const operation = 'decrypt'
    const key = body.key_id ?? undefined
    const ciphertext = requireBase64(body.ciphertext_blob, 'ciphertext_blob')
    return key === undefined
      ? { operation, ciphertext, context, authorize }
      : { operation, key, ciphertext, context, authorize }
  },
  reply: { key_id: z.string(), key_version: z.int(), plaintext: base64 },
  show: ({ keyId: key_id, keyVersion: key_version, plaintext }, message) => ({
    success: message === undefined ? undefined : true,
    message,
    key_id,
    key_version,
    plaintext: takePlaintext(plaintext),
  }),
}

/** Does one operation by itself. */
export function perform(data: DataPlane, item: BatchItem): Promise<BatchResult> {
  switch (item.operation) {
    case 'generate_data_key':
      return data.generateDataKey(item)
    case 'encrypt':
      return data.encrypt(item)
    case 'decrypt':
      return data.decrypt(item)
  }
}

/** Zeroes the plaintext a request held. */
export function discard(item: BatchItem): void {
  if (item.operation === 'encrypt') item.plaintext.fill(0)
}

function requireBase64(encoded: string, path: string): Buffer {
  const bytes = decodeBase64(encoded)
  if (bytes !== undefined) return bytes
  throw kmsError('ValidationError', { path, reason: 'must be base64 with padding (RFC 4648, section 4)' })
}

/** Encodes a plaintext and zeroes it. */
function takePlaintext(plaintext: Buffer | undefined): string | undefined {
  const encoded = plaintext?.toString('base64')
  plaintext?.fill(0)
  return encoded
}

function wrappingKey(json: unknown, manager: KmsManager): KeyClaim | undefined {
  if (!isJsonObject(json)) return undefined
  const reference = json['key_id'] ?? manager.config()?.document.default_key_id
  return typeof reference === 'string' ? { reference } : undefined
}

/** The key a ciphertext names; what else the request says does not matter to who may unwrap it. */
function unwrappingKey(json: unknown): KeyClaim | undefined {
  const encoded = isJsonObject(json) ? json['ciphertext_blob'] : undefined
  const bytes = typeof encoded === 'string' ? decodeBase64(encoded) : undefined
  if (bytes === undefined) return undefined
  try {
    return { id: decodeEnvelope(bytes).keyId }
  } catch {
    return undefined
  }
}
