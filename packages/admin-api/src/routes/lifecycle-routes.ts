import { z } from '@hono/zod-openapi'
import { kmsError, type ReconfigureOptions } from '@kms/core'
import { type BodyShape, objectBody } from '../request/read-json.ts'
import { message, precondition } from './lifecycle-reply.ts'
import { reconfigureQuery } from './reconfigure-query.ts'
import { changes, revision, successReply, wireStatus } from './reply-schemas.ts'
import { ADMIN_PREFIX, type Call, defineRoute, type Route } from './route.ts'

/** Core validates it: which fields there are depends on the drivers the server was built with. */
const documentBody: BodyShape = {
  schema: z
    .looseObject({
      backend_type: z.string().optional().openapi({ example: 'local' }),
      default_key_id: z.string().optional(),
      timeout_seconds: z.int().min(1).max(300).optional(),
      retry_attempts: z.int().min(0).max(10).optional(),
      enable_cache: z.boolean().optional(),
      max_cached_keys: z.int().min(1).max(1_000_000).optional(),
      cache_ttl_seconds: z.int().min(1).max(86_400).optional(),
      allow_offline_decryption: z.boolean().optional(),
    })
    .openapi('ConfigDocument', { description: 'Common fields, and those of the backend. Unknown fields are refused.' }),
  read: (json) => json,
}

const startBody = objectBody(z.strictObject({ force: z.boolean('must be true or false').nullish() }))

export const configureRoute: Route = defineRoute({
  operation: 'configure',
  summary: 'Store a configuration; does not start the service',
  methods: ['POST'],
  paths: ['/kms/configure'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  body: documentBody,
  reply: successReply({ status: wireStatus, revision }),
  indented: true,
  lifecycle: true,
  async handle(call) {
    const report = await call.manager.configure(call.body, call.caller, precondition(call))
    const text =
      report.outcome === 'unchanged'
        ? 'unchanged: this configuration is already stored.'
        : 'KMS configured. POST /rustfs/admin/v3/kms/start starts it.'
    return { body: { success: true, message: message(text, report), status: report.status, revision: report.revision } }
  },
})

const proof = z
  .array(z.strictObject({ step: z.string(), detail: z.string(), milliseconds: z.number().min(0) }))
  .openapi({ description: 'How the candidate was proven, step by step.' })

export const reconfigureRoute: Route = defineRoute({
  operation: 'reconfigure',
  summary: 'Merge a patch into the configuration, prove the result and swap to it while serving',
  methods: ['POST'],
  paths: ['/kms/reconfigure'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  body: documentBody,
  query: reconfigureQuery,
  reply: z.union([
    successReply({ status: wireStatus, revision, changed: changes }),
    successReply({ dry_run: z.literal(true), status: wireStatus, revision, diff: changes, proof }),
  ]),
  indented: true,
  lifecycle: true,
  async handle(call) {
    const { dryRun, confirmWithinSeconds } = call.query
    const confirmed = confirmWithinSeconds === undefined ? {} : { confirmWithinSeconds }
    const options = { ...precondition(call), ...confirmed }
    if (dryRun) return { body: await rehearse(call, options) }
    const report = await call.manager.reconfigure(call.body, call.caller, options)
    const text =
      report.outcome === 'unchanged'
        ? 'unchanged: the running configuration says this already.'
        : 'KMS reconfigured; the new configuration is serving.'
    const wait =
      report.outcome === 'unchanged' || confirmWithinSeconds === undefined
        ? ''
        : ` It is taken back in ${confirmWithinSeconds} s unless POST ${ADMIN_PREFIX}/kms/confirm comes before.`
    const { status, changed } = report
    return {
      body: { success: true, message: message(text + wait, report), status, revision: report.revision, changed },
    }
  },
})

async function rehearse({ manager, body }: Call, options: ReconfigureOptions): Promise<object> {
  const { status, revision: comparedWith, diff, proof: steps, notes } = await manager.rehearse(body, options)
  const text = diff.length === 0 ? 'This would change nothing.' : 'This would be accepted. Nothing was changed.'
  return {
    success: true,
    message: [text, ...notes].join(' '),
    dry_run: true,
    status,
    revision: comparedWith,
    diff,
    proof: steps,
  }
}

export const startRoute: Route = defineRoute({
  operation: 'start',
  summary: 'Start the stored configuration; with force, open it anew beside what runs and swap',
  methods: ['POST'],
  paths: ['/kms/start'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:ServiceControl'],
  body: startBody,
  reply: successReply({ status: wireStatus }),
  indented: true,
  lifecycle: true,
  async handle({ manager, caller, body }) {
    const report = await manager.start({ force: body.force ?? false }, caller)
    const text =
      report.outcome === 'unchanged'
        ? 'unchanged: KMS is running already.'
        : report.outcome === 'restarted'
          ? 'KMS restarted on a newly opened backend.'
          : 'KMS started.'
    return { body: { success: true, message: message(text, report), status: report.status } }
  },
})

export const stopRoute: Route = defineRoute({
  operation: 'stop',
  summary: 'Finish what is under way and stop; the configuration stays',
  methods: ['POST'],
  paths: ['/kms/stop'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:ServiceControl'],
  reply: successReply({ status: wireStatus }),
  indented: true,
  lifecycle: true,
  async handle({ manager, caller }) {
    const report = await manager.stop(caller)
    const text = report.outcome === 'unchanged' ? 'unchanged: KMS was not running.' : 'KMS stopped.'
    return { body: { success: true, message: message(text, report), status: report.status } }
  },
})

export const configRoute: Route = defineRoute({
  operation: 'getConfig',
  summary: 'The stored configuration, secrets as ***; its ETag is what If-Match takes',
  methods: ['GET'],
  paths: ['/kms/config'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  reply: documentBody.schema,
  indented: true,
  lifecycle: false,
  handle({ manager }) {
    const config = manager.config()
    if (config === undefined) throw kmsError('NoConfiguration')
    return { body: config.document, etag: config.etag }
  },
})

export const clearCacheRoute: Route = defineRoute({
  operation: 'clearCache',
  summary: 'Empty the caches of data keys and key records',
  methods: ['POST'],
  paths: ['/kms/clear-cache'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:ClearCache'],
  reply: successReply({ status: z.literal('success') }),
  indented: true,
  lifecycle: false,
  handle({ manager }) {
    manager.clearCache()
    return { body: { success: true, message: 'Caches cleared.', status: 'success' } }
  },
})
