import { z } from '@hono/zod-openapi'
import { isKeyName, kmsError } from '@kms/core'
import { type BodyShape, isJsonObject, objectBody } from '../../request/read-json.ts'
import { fold } from '../fold.ts'
import type { Call, KeyClaim, QueryShape, RouteInput } from '../route.ts'
import { readTags, tagsField } from './key-tags.ts'

const text = z.string('must be a string')

type OptionalText = z.ZodType<string | null | undefined>

/** Other spellings of {@link createKeyFields}. */
export const createKeyAliases: Readonly<Record<string, string>> = {
  KeyUsage: 'key_usage',
  Description: 'description',
  Tags: 'tags',
  KeyName: 'key_name',
  name: 'key_name',
}

export interface CreateKeyFields {
  readonly key_name?: string | null | undefined
  readonly key_usage?: string | null | undefined
  readonly description?: string | null | undefined
  readonly tags?: unknown
}

/** What a key may be made with. */
export const createKeyFields: {
  readonly key_name: OptionalText
  readonly key_usage: OptionalText
  readonly description: OptionalText
  readonly tags: z.ZodType
} = {
  key_name: text.nullish().openapi({ description: 'The id. Absent: tags.name, else a UUID.' }),
  key_usage: text.nullish().openapi({ description: 'ENCRYPT_DECRYPT', example: 'ENCRYPT_DECRYPT' }),
  description: text.nullish(),
  tags: tagsField.optional(),
}

export const createKeyBody: BodyShape<CreateKeyFields> = objectBody(z.strictObject(createKeyFields), createKeyAliases)

export const createKeyQuery: QueryShape<string | undefined> = {
  schema: z.strictObject({ 'key-id': text.optional().openapi({ description: 'The id, as mc sends it.' }) }),
  read: (query) => query.get('key-id'),
}

/** What core is asked to create. */
export interface CreateKeyRequest {
  readonly name?: string
  readonly description?: string
  readonly tags: ReadonlyMap<string, string>
}

/** Throws `ValidationError` for another usage, tags that are not strings, and two names that differ. */
export function readCreateKey({
  body,
  query,
}: Pick<Call<CreateKeyFields, string | undefined>, 'body' | 'query'>): CreateKeyRequest {
  const usage = body.key_usage ?? 'ENCRYPT_DECRYPT'
  if (fold(usage) !== 'encryptdecrypt') {
    throw kmsError('ValidationError', {
      path: 'key_usage',
      reason: 'must be ENCRYPT_DECRYPT, the only usage supported',
    })
  }
  const tags = readTags(body.tags ?? {})
  const inBody = body.key_name ?? tags.get('name')
  if (query !== undefined && inBody !== undefined && query !== inBody) {
    throw kmsError('ValidationError', { path: 'key-id', reason: 'differs from the name in the body; give one of them' })
  }
  const name = query ?? inBody
  const description = body.description ?? undefined
  return {
    tags,
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
  }
}

/** What to tell of a key that was created. */
export function createdMessage(created: string, takenAlias: string | undefined): string {
  if (takenAlias === undefined) return created
  return `${created} The alias "${takenAlias}" was not: the name is taken by a key or an alias.`
}

/** The name of the key to be, read leniently: for refusing, not for creating. */
export function claimedName({ json, query }: RouteInput): KeyClaim | undefined {
  const body = isJsonObject(json) ? json : {}
  const tags = [body['tags'], body['Tags']].find(isJsonObject)
  const names = [query.get('key-id'), body['key_name'], body['KeyName'], body['name'], tags?.['name']]
  const id = names.find((name) => typeof name === 'string')
  return id !== undefined && isKeyName(id) ? { id } : undefined
}
