import { z } from '@hono/zod-openapi'
import { isKeyName, kmsError } from '@kms/core'
import { decodeBase64 } from '@kms/core/internal'
import type { Permission } from '../../access/gate.ts'
import { isJsonObject, objectBody } from '../../request/read-json.ts'
import type { Query } from '../../request/read-query.ts'
import { base64, successReply, time } from '../reply-schemas.ts'
import { defineRoute, type KeyClaim, type Route, type RouteInput } from '../route.ts'
import {
  type CreateKeyFields,
  claimedName,
  createdMessage,
  createKeyAliases,
  createKeyFields,
  readCreateKey,
} from './create-key-request.ts'
import { keyMetadata, keyMetadataSchema } from './key-metadata.ts'

const PERMISSION: Permission = ['kms:ImportKey']

/** Parameters that name the key to be. */
const NAMES = ['key_name', 'key_id', 'keyId', 'key-id'] as const

const name = z.string().optional().openapi({ description: 'Binds the token to this key name.' })

export const importParametersRoute: Route = defineRoute({
  operation: 'getImportParameters',
  summary: 'A token and a public key to wrap 32 bytes of key material under; good for one import within 24 hours',
  methods: ['GET'],
  paths: ['/kms/keys/import-parameters'],
  minioPaths: [],
  scope: 'key',
  permission: PERMISSION,
  key: ({ query }) => claim(nameIn(query)),
  query: { schema: z.strictObject(Object.fromEntries(NAMES.map((each) => [each, name]))), read: nameIn },
  reply: successReply({
    token: z.string(),
    public_key: base64.openapi({ description: 'SubjectPublicKeyInfo in DER.' }),
    wrapping_key_spec: z.literal('RSA_4096'),
    wrapping_algorithm: z.literal('RSAES_OAEP_SHA_256'),
    valid_until: time,
  }),
  indented: true,
  lifecycle: false,
  async handle({ manager, query, authorize, alsoRequire }) {
    // Without a name the token is good for any key.
    if (query === undefined) alsoRequire(PERMISSION)
    const bound = query === undefined ? {} : { name: query }
    const { token, publicKey, validUntil } = await manager.keys.importParameters({ ...bound, authorize })
    return {
      body: {
        success: true,
        message: 'Wrap 32 bytes under the public key and POST them to /rustfs/admin/v3/kms/keys/import with the token.',
        token,
        public_key: publicKey.toString('base64'),
        wrapping_key_spec: 'RSA_4096',
        wrapping_algorithm: 'RSAES_OAEP_SHA_256',
        valid_until: new Date(validUntil).toISOString(),
      },
    }
  },
})

interface ImportFields extends CreateKeyFields {
  readonly token: string
  readonly encrypted_key_material: string
}

const text = z.string('must be a string')

const importBody = objectBody<ImportFields>(
  z.strictObject({
    ...createKeyFields,
    token: text,
    encrypted_key_material: text.openapi({
      format: 'byte',
      description: '32 bytes, encrypted under the public key of the token with RSAES-OAEP and SHA-256.',
    }),
  }),
  {
    ...createKeyAliases,
    key_id: 'key_name',
    keyId: 'key_name',
    KeyId: 'key_name',
    import_token: 'token',
    ImportToken: 'token',
    EncryptedKeyMaterial: 'encrypted_key_material',
  },
)

export const importKeyRoute: Route = defineRoute({
  operation: 'importKey',
  summary: 'Create a key of imported material',
  methods: ['POST'],
  paths: ['/kms/keys/import'],
  minioPaths: [],
  scope: 'key',
  permission: PERMISSION,
  key: claimedImport,
  body: importBody,
  reply: successReply({ key_id: z.string(), key_metadata: keyMetadataSchema }),
  indented: true,
  lifecycle: false,
  async handle({ manager, body, authorize, caller }) {
    const request = readCreateKey({ body, query: undefined })
    const wrapped = decodeBase64(body.encrypted_key_material)
    if (wrapped === undefined) {
      const reason = 'must be base64 with padding (RFC 4648, section 4)'
      throw kmsError('ValidationError', { path: 'encrypted_key_material', reason })
    }
    const made = await manager.keys.importKey({ ...request, token: body.token, wrapped, authorize, caller })
    const message = createdMessage('Key created of the imported material.', made.takenAlias)
    return { body: { success: true, message, key_id: made.record.keyId, key_metadata: keyMetadata(made.record) } }
  },
})

function nameIn(query: Query): string | undefined {
  return NAMES.map((each) => query.get(each)).find((value) => value !== undefined && value !== '')
}

function claim(id: string | undefined): KeyClaim | undefined {
  return id !== undefined && isKeyName(id) ? { id } : undefined
}

function claimedImport(input: RouteInput): KeyClaim | undefined {
  const body = isJsonObject(input.json) ? input.json : {}
  const id = [body['key_id'], body['keyId'], body['KeyId']].find((value) => typeof value === 'string')
  return claimedName(input) ?? claim(id)
}
