import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import { successReply } from '../reply-schemas.ts'
import { defineRoute, type Route } from '../route.ts'
import { claimedName, createdMessage, createKeyBody, createKeyQuery, readCreateKey } from './create-key-request.ts'
import { keyMetadata, keyMetadataSchema } from './key-metadata.ts'
import { keyInQuery, keyQuery } from './key-reference.ts'
import { listQuery } from './list-query.ts'

const names = z.array(z.string())

export const createKeyRoute: Route = defineRoute({
  operation: 'createKey',
  summary: 'Create a key',
  methods: ['POST'],
  paths: ['/kms/keys', '/kms/create-key', '/kms/key/create'],
  minioPaths: ['/kms/key/create'],
  scope: 'key',
  permission: ['kms:CreateKey', 'kms:Configure'],
  key: claimedName,
  body: createKeyBody,
  query: createKeyQuery,
  reply: successReply({ key_id: z.string(), aliases: names, key_metadata: keyMetadataSchema }),
  indented: true,
  lifecycle: false,
  async handle(call) {
    const { authorize, caller } = call
    const { record, takenAlias } = await call.manager.keys.create({ ...readCreateKey(call), authorize, caller })
    const message = createdMessage('Key created.', takenAlias)
    const { keyId: key_id, aliases } = record
    return { body: { success: true, message, key_id, aliases, key_metadata: keyMetadata(record) } }
  },
})

export const listKeysRoute: Route = defineRoute({
  operation: 'listKeys',
  summary: 'List keys, ascending by id',
  methods: ['GET'],
  paths: ['/kms/keys', '/kms/list-keys'],
  minioPaths: ['/kms/key/list'],
  scope: 'service',
  permission: ['kms:ListKeys'],
  query: listQuery,
  reply: successReply({
    keys: z.array(keyMetadataSchema),
    truncated: z.boolean(),
    next_marker: z.string().nullable(),
    unreadable_key_ids: names.optional(),
  }),
  indented: true,
  lifecycle: false,
  async handle({ manager, query }) {
    const { marker, state, limit, nothing } = query
    const { keys, unreadable, next } = await manager.keys.list({
      limit: nothing ? 0 : limit,
      ...(marker === undefined ? {} : { marker }),
      ...(state === undefined ? {} : { state }),
    })
    const more = nothing ? undefined : next
    return {
      body: {
        success: true,
        message: `${keys.length} ${keys.length === 1 ? 'key' : 'keys'}.`,
        keys: keys.map(keyMetadata),
        truncated: more !== undefined,
        next_marker: more ?? null,
        ...(unreadable.length === 0 ? {} : { unreadable_key_ids: unreadable }),
      },
    }
  },
})

const describeReply = successReply({ key_metadata: keyMetadataSchema })

export const describeKeyRoute: Route = defineRoute({
  operation: 'describeKey',
  summary: 'Describe a key, by id, alias or ARN',
  methods: ['GET'],
  paths: ['/kms/keys/{key_id}'],
  minioPaths: [],
  scope: 'key',
  permission: ['kms:DescribeKey'],
  key: ({ pathKey }) => claim(pathKey),
  reply: describeReply,
  indented: true,
  lifecycle: false,
  async handle({ manager, pathKey, authorize }) {
    const record = await manager.keys.describe({ key: pathKey as string, authorize })
    return { body: { success: true, message: 'Key found.', key_metadata: keyMetadata(record) } }
  },
})

export const describeKeyByQueryRoute: Route = defineRoute({
  operation: 'describeKeyByQuery',
  summary: 'Describe a key, named in the query',
  methods: ['GET'],
  paths: ['/kms/describe-key', '/kms/key/status'],
  minioPaths: ['/kms/key/status'],
  scope: 'key',
  permission: ['kms:DescribeKey'],
  key: ({ query }) => claim(keyInQuery(query)),
  query: keyQuery,
  reply: describeReply,
  indented: true,
  lifecycle: false,
  async handle({ manager, query, authorize }) {
    if (query === undefined) {
      throw kmsError('ValidationError', { path: 'keyId', reason: 'is required: a key id, an alias or an ARN' })
    }
    const record = await manager.keys.describe({ key: query, authorize })
    return { body: { success: true, message: 'Key found.', key_metadata: keyMetadata(record) } }
  },
})

function claim(reference: string | undefined): { readonly reference: string } | undefined {
  return reference === undefined ? undefined : { reference }
}
