import type { Buffer } from 'node:buffer'
import { z } from '@hono/zod-openapi'
import { type DataKeySpec, decodeEnvelope, type KmsManager, kmsError, parseEncryptionContext } from '@kms/core'
import { decodeBase64 } from '@kms/core/internal'
import { isJsonObject, objectBody } from '../request/read-json.ts'
import { fold } from './fold.ts'
import { base64, successReply } from './reply-schemas.ts'
import { defineRoute, type KeyClaim, type Route, type RouteInput } from './route.ts'

const text = z.string('must be a string')
const keyId = text.nullish().openapi({ description: 'Id, alias, alias/<name> or ARN. Absent: the default key.' })
// As it came: core reads it, and zod's records drop a key called __proto__.
const encryptionContext = z
  .unknown()
  .optional()
  .openapi({ type: 'object', additionalProperties: { type: 'string' }, description: 'Authenticated, never secret.' })

/** Folded spelling → spec. */
const SPECS: ReadonlyMap<string, DataKeySpec> = new Map([
  ['aes256', 'AES_256'],
  ['aes128', 'AES_128'],
])

export const generateDataKeyRoute: Route = defineRoute({
  operation: 'generateDataKey',
  summary: 'A fresh data key, in plaintext and wrapped',
  methods: ['POST'],
  paths: ['/kms/generate-data-key'],
  minioPaths: [],
  scope: 'key',
  permission: ['kms:GenerateDataKey'],
  key: wrappingKey,
  body: objectBody(
    z.strictObject({
      key_id: keyId,
      key_spec: text.nullish().openapi({ description: 'AES_256 (default) or AES_128', example: 'AES_256' }),
      encryption_context: encryptionContext,
    }),
  ),
  reply: successReply({ key_id: z.string(), key_version: z.int(), plaintext_key: base64, ciphertext_blob: base64 }),
  indented: false,
  lifecycle: false,
  async handle({ manager, body, learn, authorize }) {
    const spec = SPECS.get(fold(body.key_spec ?? 'AES_256'))
    if (spec === undefined) {
      throw kmsError('ValidationError', { path: 'key_spec', reason: 'must be AES_256 or AES_128' })
    }
    const context = parseEncryptionContext(body.encryption_context)
    learn(context)
    const made = await manager.data.generateDataKey({ ...named(body.key_id), spec, context, authorize })
    return {
      body: {
        success: true,
        message: 'Data key generated.',
        key_id: made.keyId,
        key_version: made.keyVersion,
        plaintext_key: takePlaintext(made.plaintext),
        ciphertext_blob: made.ciphertext.toString('base64'),
      },
    }
  },
})

export const encryptRoute: Route = defineRoute({
  operation: 'encrypt',
  summary: 'Wrap 1 to 4096 bytes',
  methods: ['POST'],
  paths: ['/kms/encrypt'],
  minioPaths: [],
  scope: 'key',
  permission: ['kms:Encrypt'],
  key: wrappingKey,
  body: objectBody(
    z.strictObject({
      key_id: keyId,
      plaintext: text.openapi({ format: 'byte' }),
      encryption_context: encryptionContext,
    }),
  ),
  reply: successReply({ key_id: z.string(), key_version: z.int(), ciphertext_blob: base64 }),
  indented: false,
  lifecycle: false,
  async handle({ manager, body, learn, authorize }) {
    const context = parseEncryptionContext(body.encryption_context)
    learn(context)
    const plaintext = requireBase64(body.plaintext, 'plaintext')
    try {
      const wrapped = await manager.data.encrypt({ ...named(body.key_id), plaintext, context, authorize })
      return {
        body: {
          success: true,
          message: 'Encrypted.',
          key_id: wrapped.keyId,
          key_version: wrapped.keyVersion,
          ciphertext_blob: wrapped.ciphertext.toString('base64'),
        },
      }
    } finally {
      plaintext.fill(0)
    }
  },
})

export const decryptRoute: Route = defineRoute({
  operation: 'decrypt',
  summary: 'Unwrap what a key of this server wrapped',
  methods: ['POST'],
  paths: ['/kms/decrypt'],
  minioPaths: [],
  scope: 'key',
  permission: ['kms:Decrypt'],
  key: unwrappingKey,
  body: objectBody(
    z.strictObject({
      ciphertext_blob: text.openapi({ format: 'byte' }),
      key_id: text.nullish().openapi({ description: 'When given, it must be the key the ciphertext was made with.' }),
      encryption_context: encryptionContext,
    }),
  ),
  reply: successReply({ key_id: z.string(), key_version: z.int(), plaintext: base64 }),
  indented: false,
  lifecycle: false,
  async handle({ manager, body, learn, authorize }) {
    const context = parseEncryptionContext(body.encryption_context)
    learn(context)
    const ciphertext = requireBase64(body.ciphertext_blob, 'ciphertext_blob')
    const opened = await manager.data.decrypt({ ...named(body.key_id), ciphertext, context, authorize })
    return {
      body: {
        success: true,
        message: 'Decrypted.',
        key_id: opened.keyId,
        key_version: opened.keyVersion,
        plaintext: takePlaintext(opened.plaintext),
      },
    }
  },
})

function named(key: string | null | undefined): { readonly key?: string } {
  return key === undefined || key === null ? {} : { key }
}

function requireBase64(encoded: string, path: string): Buffer {
  const bytes = decodeBase64(encoded)
  if (bytes !== undefined) return bytes
  throw kmsError('ValidationError', { path, reason: 'must be base64 with padding (RFC 4648, section 4)' })
}

/** Encodes a plaintext and zeroes it. */
function takePlaintext(plaintext: Buffer): string {
  const encoded = plaintext.toString('base64')
  plaintext.fill(0)
  return encoded
}

function wrappingKey({ json }: RouteInput, manager: KmsManager): KeyClaim | undefined {
  if (!isJsonObject(json)) return undefined
  const reference = json['key_id'] ?? manager.config()?.document.default_key_id
  return typeof reference === 'string' ? { reference } : undefined
}

/** The key a ciphertext names; what else the request says does not matter to who may unwrap it. */
function unwrappingKey({ json }: RouteInput): KeyClaim | undefined {
  const encoded = isJsonObject(json) ? json['ciphertext_blob'] : undefined
  const bytes = typeof encoded === 'string' ? decodeBase64(encoded) : undefined
  if (bytes === undefined) return undefined
  try {
    return { id: decodeEnvelope(bytes).keyId }
  } catch {
    return undefined
  }
}
