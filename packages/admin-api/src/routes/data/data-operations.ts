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

type WithoutCaller<I> = I extends BatchItem ? Omit<I, 'context' | 'authorize'> : never

/** What an operation asks core for, before its context and who asks. */
export type AskedOf = WithoutCaller<BatchItem>

/** An operation on data, by itself or as an item of a batch. */
export interface DataOperation<B extends DataFields = DataFields> {
  readonly name: BatchItem['operation']
  readonly permission: Permission
  readonly body: BodyShape<B>
  /** The key a refused request was about. */
  key(json: unknown, manager: KmsManager): KeyClaim | undefined
  /** Throws `ValidationError`. What it returns is given to {@link discard} when it is done with. */
  read(body: B): AskedOf
  readonly reply: Readonly<Record<string, z.ZodType>>
  /** The result as the wire shows it; zeroes what was in plaintext. */
  show(result: BatchResult): object
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
  read(body) {
    const spec = SPECS.get(fold(body.key_spec ?? 'AES_256'))
    if (spec === undefined) {
      throw kmsError('ValidationError', { path: 'key_spec', reason: 'must be AES_256 or AES_128' })
    }
    return { operation: 'generate_data_key', spec, ...named(body.key_id) }
  },
  reply: { key_id: z.string(), key_version: z.int(), plaintext_key: base64, ciphertext_blob: base64 },
  show: ({ keyId: key_id, keyVersion: key_version, plaintext, ciphertext }) => ({
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
  read: (body) => ({
    operation: 'encrypt',
    plaintext: requireBase64(body.plaintext, 'plaintext'),
    ...named(body.key_id),
  }),
  reply: { key_id: z.string(), key_version: z.int(), ciphertext_blob: base64 },
  show: ({ keyId: key_id, keyVersion: key_version, ciphertext }) => ({
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
  read: (body) => ({
    operation: 'decrypt',
    ciphertext: requireBase64(body.ciphertext_blob, 'ciphertext_blob'),
    ...named(body.key_id),
  }),
  reply: { key_id: z.string(), key_version: z.int(), plaintext: base64 },
  show: ({ keyId: key_id, keyVersion: key_version, plaintext }) => ({
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
export function discard(asked: AskedOf): void {
  if (asked.operation === 'encrypt') asked.plaintext.fill(0)
}

function named(key: string | null | undefined): { readonly key?: string } {
  return key === undefined || key === null ? {} : { key }
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
