import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import { objectBody } from '../../request/read-json.ts'
import { successReply, time } from '../reply-schemas.ts'
import { type Call, defineRoute, type QueryShape, type Route } from '../route.ts'
import { keyMetadata, keyMetadataSchema } from './key-metadata.ts'
import { claimedKey, keyField, keyFieldAliases, keyInQuery, keyParameters, requireKey } from './key-reference.ts'

const text = z.string('must be a string')

interface DeleteFields {
  readonly key_id?: string | null | undefined
  readonly pending_window_in_days?: number | null | undefined
  readonly force_immediate?: boolean | null | undefined
  readonly confirm_key_id?: string | null | undefined
}

interface DeleteQuery {
  readonly key: string | undefined
  readonly days: number | undefined
}

const deleteBody = objectBody<DeleteFields>(
  z.strictObject({
    key_id: keyField,
    pending_window_in_days: z
      .number('must be a whole number of days')
      .nullish()
      .openapi({ type: 'integer', minimum: 7, maximum: 30, default: 30 }),
    force_immediate: z
      .boolean('must be true or false')
      .nullish()
      .openapi({ description: 'Destroy it now; only where the server allows it, and with confirm_key_id.' }),
    confirm_key_id: text.nullish().openapi({ description: 'The id of the key once more; goes with force_immediate.' }),
  }),
  {
    ...keyFieldAliases,
    PendingWindowInDays: 'pending_window_in_days',
  },
)

/** What may stand in a URL, which is logged and repeated, can only begin what can be cancelled. */
const deleteQuery: QueryShape<DeleteQuery> = {
  schema: z.strictObject({
    ...keyParameters,
    pending_window_in_days: z.string().optional().openapi({ type: 'integer', minimum: 7, maximum: 30 }),
    force_immediate: z
      .string()
      .optional()
      .openapi({ enum: ['false'] }),
    confirm_key_id: z
      .string()
      .optional()
      .openapi({ deprecated: true, description: 'Refused: it belongs in the body.' }),
  }),
  read(query) {
    const days = query.get('pending_window_in_days')
    if (days !== undefined && !/^[0-9]{1,4}$/.test(days)) {
      throw kmsError('ValidationError', { path: 'pending_window_in_days', reason: 'must be a whole number of days' })
    }
    const reason = 'belongs in the JSON body; a URL can only schedule a deletion'
    if ((query.get('force_immediate') ?? 'false') !== 'false') {
      throw kmsError('ValidationError', { path: 'force_immediate', reason })
    }
    if (query.has('confirm_key_id')) throw kmsError('ValidationError', { path: 'confirm_key_id', reason })
    return { key: keyInQuery(query), days: days === undefined ? undefined : Number(days) }
  },
}

export const deleteKeyRoute: Route = defineRoute({
  operation: 'deleteKey',
  summary: 'Schedule the deletion of a key, which can be cancelled; or destroy it at once',
  methods: ['DELETE'],
  paths: ['/kms/keys/delete'],
  minioPaths: [],
  scope: 'key',
  permission: ['kms:DeleteKey'],
  key: claimedKey,
  body: deleteBody,
  query: deleteQuery,
  reply: successReply({
    key_id: z.string(),
    deletion_date: time,
    key_metadata: keyMetadataSchema.nullable().openapi({ description: 'null when the key was destroyed.' }),
  }),
  indented: true,
  lifecycle: false,
  async handle(call) {
    const { manager, body, query, authorize, caller } = call
    const request = { key: requireKey(body.key_id, query.key), authorize, caller }
    const days = readWindow(call)
    const confirm = body.confirm_key_id ?? undefined
    if (body.force_immediate === true) {
      if (days !== undefined) {
        const reason = 'does not go with force_immediate; leave one of them out'
        throw kmsError('ValidationError', { path: 'pending_window_in_days', reason })
      }
      const { keyId, destroyedAt } = await manager.keys.destroy({ ...request, confirmKeyId: confirm })
      const message = 'Key destroyed. What it wrapped cannot be opened any more.'
      return { body: { success: true, message, key_id: keyId, deletion_date: date(destroyedAt), key_metadata: null } }
    }
    if (confirm !== undefined) {
      const reason = 'only goes with force_immediate; leave it out to schedule the deletion'
      throw kmsError('ValidationError', { path: 'confirm_key_id', reason })
    }
    const { record, changed } = await manager.keys.scheduleDeletion({
      ...request,
      ...(days === undefined ? {} : { windowDays: days }),
    })
    const deletion_date = date(record.deletionAt)
    const message = changed
      ? `Deletion scheduled for ${deletion_date}. POST /rustfs/admin/v3/kms/keys/cancel-deletion cancels it.`
      : 'unchanged: the deletion was scheduled before.'
    return { body: { success: true, message, key_id: record.keyId, deletion_date, key_metadata: keyMetadata(record) } }
  },
})

function readWindow({ body, query }: Call<DeleteFields, DeleteQuery>): number | undefined {
  const inBody = body.pending_window_in_days ?? undefined
  if (inBody !== undefined && query.days !== undefined && inBody !== query.days) {
    const reason = 'is one thing in the body and another in the query; give one'
    throw kmsError('ValidationError', { path: 'pending_window_in_days', reason })
  }
  return inBody ?? query.days
}

function date(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString()
}
