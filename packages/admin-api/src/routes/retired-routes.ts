import { z } from '@hono/zod-openapi'
import type { RetiredStoreStatus } from '@kms/core'
import { type BodyShape, objectBody } from '../request/read-json.ts'
import { message, precondition } from './lifecycle-reply.ts'
import { changes, revision, successReply, summary, time, wireStatus } from './reply-schemas.ts'
import { defineRoute, type Route } from './route.ts'

export const listRetiredRoute: Route = defineRoute({
  operation: 'listRetired',
  summary: 'The key stores kept only to unwrap what they wrapped',
  methods: ['GET'],
  paths: ['/kms/retired'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  reply: z.strictObject({
    stores: z.array(
      z.strictObject({
        realm: z.string(),
        backend_type: z.string(),
        summary,
        healthy: z.boolean().nullable(),
        last_active: time,
        token_expires_at: time.nullable(),
        last_error: z.string().nullable(),
      }),
    ),
  }),
  indented: true,
  lifecycle: false,
  handle: ({ manager }) => ({ body: { stores: manager.retired().map(describe) } }),
})

function describe(store: RetiredStoreStatus): object {
  const { realm, backendType, healthy, lastActive, credentialsExpireAt, lastError } = store
  return {
    realm,
    backend_type: backendType,
    summary: store.summary,
    healthy: healthy ?? null,
    last_active: lastActive,
    token_expires_at: credentialsExpireAt === undefined ? null : new Date(credentialsExpireAt).toISOString(),
    last_error: lastError ?? null,
  }
}

/** Core validates it: which fields there are depends on the backend of the store. */
const connectionBody: BodyShape = {
  schema: z
    .looseObject({
      timeout_seconds: z.int().min(1).max(300).optional(),
      retry_attempts: z.int().min(0).max(10).optional(),
    })
    .openapi('StoreConnection', { description: 'Fields of the backend that have changed, and these two.' }),
  read: (json) => json,
}

export const mendRetiredRoute: Route = defineRoute({
  operation: 'mendRetired',
  summary: 'Change how a retired key store is reached; the change must lead to the same store',
  methods: ['POST'],
  paths: ['/kms/retired/{realm}'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  body: connectionBody,
  reply: successReply({ status: wireStatus, revision, changed: changes }),
  indented: true,
  lifecycle: true,
  async handle(call) {
    const realm = call.pathKey ?? ''
    const report = await call.manager.mendRetired(realm, call.body, call.caller, precondition(call))
    const text =
      report.outcome === 'unchanged'
        ? 'unchanged: the key store is reached like this already.'
        : 'The retired key store answers, opens what it wrapped, and is reached like this from now on.'
    const { status, changed } = report
    return { body: { success: true, message: message(text, report), status, revision: report.revision, changed } }
  },
})

export const removeRetiredRoute: Route = defineRoute({
  operation: 'removeRetired',
  summary: 'Forget a retired key store: what it wrapped does not open here any more. The store itself is not touched',
  methods: ['DELETE'],
  paths: ['/kms/retired/{realm}'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  body: objectBody(z.strictObject({ confirm_realm: z.string(), force: z.boolean('must be true or false').nullish() })),
  reply: successReply({ status: wireStatus, revision }),
  indented: true,
  lifecycle: true,
  async handle({ manager, caller, body, pathKey: realm = '' }) {
    const removal = { realm, confirmRealm: body.confirm_realm, force: body.force ?? false }
    const report = await manager.removeRetired(removal, caller)
    const text = message('The key store is not known here any more.', report)
    return { body: { success: true, message: text, status: report.status, revision: report.revision } }
  },
})
