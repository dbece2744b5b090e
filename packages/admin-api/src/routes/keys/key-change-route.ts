import { z } from '@hono/zod-openapi'
import type { ChangedKey, KeyRequest, KeyService } from '@kms/core'
import type { Permission } from '../../access/gate.ts'
import { objectBody } from '../../request/read-json.ts'
import { successReply } from '../reply-schemas.ts'
import { defineRoute, type Method, type Route } from '../route.ts'
import { keyMetadata, keyMetadataSchema } from './key-metadata.ts'
import { claimedKey, keyField, keyFieldAliases, keyQuery, requireKey } from './key-reference.ts'

/** What distinguishes one change of a key from another. */
export interface KeyChangeFacts<F extends z.ZodRawShape> {
  readonly operation: string
  readonly summary: string
  readonly method?: Method
  readonly path: string
  readonly permission: Permission
  /** Fields of the body beside the key. */
  readonly fields: F
  /** Other spellings of these. */
  readonly aliases?: Readonly<Record<string, string>>
  apply(keys: KeyService, request: KeyRequest, body: z.output<z.ZodObject<F>>): Promise<ChangedKey>
  /** What happened, for people. */
  readonly done: string
  /** What was so before. */
  readonly unchanged: string
}

const reply = successReply({ key_id: z.string(), key_metadata: keyMetadataSchema })

/** A route that changes a key and shows it: the key stands in the body or in the query. */
export function keyChangeRoute<F extends z.ZodRawShape>(facts: KeyChangeFacts<F>): Route {
  const { operation, summary, path, permission, fields, aliases = {} } = facts
  const shape = { key_id: keyField, ...fields }
  const schema = z.strictObject(shape) as unknown as z.ZodObject & z.ZodType<{ readonly key_id?: string | null }>
  return defineRoute({
    operation,
    summary,
    methods: [facts.method ?? 'POST'],
    paths: [path],
    minioPaths: [],
    scope: 'key',
    permission,
    key: claimedKey,
    body: objectBody(schema, { ...keyFieldAliases, ...aliases }),
    query: keyQuery,
    reply,
    indented: true,
    lifecycle: false,
    async handle({ manager, body, query, authorize, caller }) {
      const request: KeyRequest = { key: requireKey(body.key_id, query), authorize, caller }
      const { record, changed } = await facts.apply(manager.keys, request, body as z.output<z.ZodObject<F>>)
      const message = changed ? facts.done : `unchanged: ${facts.unchanged}`
      return { body: { success: true, message, key_id: record.keyId, key_metadata: keyMetadata(record) } }
    },
  })
}
