import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import { isJsonObject, objectBody } from '../../request/read-json.ts'
import { successReply } from '../reply-schemas.ts'
import { defineRoute, type KeyClaim, type QueryShape, type Route, type RouteInput } from '../route.ts'
import { keyChangeRoute } from './key-change-route.ts'
import {
  claimedKey,
  eitherOf,
  keyField,
  keyFieldAliases,
  keyInQuery,
  keyParameters,
  keyQuery,
  requireKey,
} from './key-reference.ts'
import { readTags, tagsField } from './key-tags.ts'

const text = z.string('must be a string')

const PREFIX = 'alias/'

export const updateDescriptionRoute: Route = keyChangeRoute({
  operation: 'updateKeyDescription',
  summary: 'Replace the description of a key; an empty one clears it',
  path: '/kms/keys/update-description',
  permission: ['kms:UpdateKeyDescription'],
  fields: { description: text },
  aliases: { Description: 'description' },
  apply: (keys, request, { description }) => keys.updateDescription({ ...request, description }),
  done: 'Description updated.',
  unchanged: 'the key has this description already.',
})

export const tagKeyRoute: Route = keyChangeRoute({
  operation: 'tagKey',
  summary: 'Add tags to a key, or replace them',
  path: '/kms/keys/tag',
  permission: ['kms:TagResource'],
  fields: { tags: tagsField },
  aliases: { Tags: 'tags' },
  apply: (keys, request, { tags }) => keys.tag({ ...request, tags: readTags(tags) }),
  done: 'Key tagged.',
  unchanged: 'the key has these tags already.',
})

export const untagKeyRoute: Route = keyChangeRoute({
  operation: 'untagKey',
  summary: 'Remove tags from a key',
  path: '/kms/keys/untag',
  permission: ['kms:UntagResource'],
  fields: { tag_keys: z.array(text, 'must be an array of strings') },
  aliases: { TagKeys: 'tag_keys' },
  apply: (keys, request, { tag_keys: tagKeys }) => keys.untag({ ...request, tagKeys }),
  done: 'Tags removed.',
  unchanged: 'the key has none of these tags.',
})

const aliasReply = successReply({ key_id: z.string(), aliases: z.array(z.string()) })

const aliasField = text.openapi({ description: 'A name, or alias/<name>.' })

export const addAliasRoute: Route = defineRoute({
  operation: 'addAlias',
  summary: 'Give a key another name',
  methods: ['POST'],
  paths: ['/kms/keys/alias'],
  minioPaths: [],
  scope: 'key',
  permission: ['kms:CreateAlias', 'kms:Configure'],
  key: claimedKey,
  body: objectBody(z.strictObject({ key_id: keyField, alias: aliasField }), keyFieldAliases),
  query: keyQuery,
  reply: aliasReply,
  indented: true,
  lifecycle: false,
  async handle({ manager, body, query, authorize, caller }) {
    const request = { key: requireKey(body.key_id, query), authorize, caller }
    const { record, changed } = await manager.keys.addAlias({ ...request, alias: nameOf(body.alias) })
    const message = changed ? 'Alias added.' : 'unchanged: the key has this alias already.'
    return { body: { success: true, message, key_id: record.keyId, aliases: record.aliases } }
  },
})

interface AliasInQuery {
  readonly alias: string | undefined
  readonly key: string | undefined
}

const aliasQuery: QueryShape<AliasInQuery> = {
  schema: z.strictObject({ ...keyParameters, alias: z.string().optional() }),
  read: (query) => ({ alias: query.get('alias'), key: keyInQuery(query) }),
}

export const removeAliasRoute: Route = defineRoute({
  operation: 'removeAlias',
  summary: 'Take an alias away from its key; in the body, or in the query as alias and keyId',
  methods: ['DELETE'],
  paths: ['/kms/keys/alias'],
  minioPaths: [],
  scope: 'key',
  permission: ['kms:DeleteAlias', 'kms:Configure'],
  key: claimedAlias,
  body: objectBody(z.strictObject({ key_id: keyField, alias: aliasField.nullish() }), keyFieldAliases),
  query: aliasQuery,
  reply: aliasReply,
  indented: true,
  lifecycle: false,
  async handle({ manager, body, query, authorize, caller }) {
    const named = eitherOf('alias', body.alias, query.alias)
    if (named === undefined) throw kmsError('ValidationError', { path: 'alias', reason: 'is required' })
    const alias = nameOf(named)
    const key = eitherOf('key_id', body.key_id, query.key) ?? PREFIX + alias
    const { record } = await manager.keys.removeAlias({ key, alias, authorize, caller })
    return { body: { success: true, message: 'Alias removed.', key_id: record.keyId, aliases: record.aliases } }
  },
})

/** An alias by its bare name. */
function nameOf(alias: string): string {
  return alias.startsWith(PREFIX) ? alias.slice(PREFIX.length) : alias
}

/** The key that is named, else the one the alias leads to. */
function claimedAlias(input: RouteInput): KeyClaim | undefined {
  const key = claimedKey(input)
  if (key !== undefined) return key
  const inBody = isJsonObject(input.json) ? input.json['alias'] : undefined
  const alias = typeof inBody === 'string' ? inBody : input.query.get('alias')
  return alias === undefined ? undefined : { reference: PREFIX + nameOf(alias) }
}
