import { z } from '@hono/zod-openapi'
import { objectBody } from '../request/read-json.ts'
import { message, precondition } from './lifecycle-reply.ts'
import { changes, revision, successReply, time, wireStatus } from './reply-schemas.ts'
import { defineRoute, type Route } from './route.ts'

export const historyRoute: Route = defineRoute({
  operation: 'getConfigHistory',
  summary: 'The revisions that changed the configuration, newest first; at most 50',
  methods: ['GET'],
  paths: ['/kms/config/history'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  reply: z.strictObject({
    revisions: z.array(
      z.strictObject({
        revision,
        time,
        principal: z.string(),
        outcome: z.string().openapi({ description: 'How the revision came about.', example: 'reconfigured' }),
        diff: changes,
      }),
    ),
  }),
  indented: true,
  lifecycle: false,
  handle: async ({ manager }) => ({ body: { revisions: await manager.history() } }),
})

export const rollbackRoute: Route = defineRoute({
  operation: 'rollback',
  summary: 'Reconfigure to the configuration of an older revision, secrets included',
  methods: ['POST'],
  paths: ['/kms/rollback'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  body: objectBody(z.strictObject({ revision: z.int('must be a whole number').min(1, 'must be 1 or more') })),
  reply: successReply({ status: wireStatus, revision }),
  indented: true,
  lifecycle: true,
  async handle(call) {
    const report = await call.manager.rollback({ revision: call.body.revision }, call.caller, precondition(call))
    const text =
      report.outcome === 'unchanged'
        ? 'unchanged: this is the configuration already.'
        : `Revision ${call.body.revision} is the configuration again, as revision ${report.revision}.`
    return { body: { success: true, message: message(text, report), status: report.status, revision: report.revision } }
  },
})

export const confirmRoute: Route = defineRoute({
  operation: 'confirm',
  summary: 'Keep a change that was made with confirm_within',
  methods: ['POST'],
  paths: ['/kms/confirm'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  reply: successReply({ status: wireStatus, revision }),
  indented: true,
  lifecycle: true,
  async handle({ manager, caller }) {
    const report = await manager.confirm(caller)
    return {
      body: {
        success: true,
        message: 'Confirmed: the change stays.',
        status: report.status,
        revision: report.revision,
      },
    }
  },
})
