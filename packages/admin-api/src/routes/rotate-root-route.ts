import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import type { BodyShape } from '../request/read-json.ts'
import { successReply, wireStatus } from './reply-schemas.ts'
import { defineRoute, type QueryShape, type Route } from './route.ts'

/** Core validates it: what names a root key depends on the driver. */
const rotateRootBody: BodyShape = {
  schema: z.looseObject({ reseal: z.boolean().optional() }).openapi('RotateRoot', {
    description:
      'The new root key, in the fields of the configuration that name it (local: master_key, master_key_file or master_key_env; none: one is generated). With reseal, everything is sealed anew under a new key-encryption key as well.',
  }),
  read: (json) => json,
}

const dryRunQuery: QueryShape<boolean> = {
  schema: z.strictObject({ dry_run: z.enum(['true', 'false']).optional() }),
  read(query) {
    const dryRun = query.get('dry_run')
    if (dryRun === undefined || dryRun === 'false') return false
    if (dryRun === 'true') return true
    throw kmsError('ValidationError', { path: 'dry_run', reason: 'must be true or false' })
  },
}

const progress = z.strictObject({
  done: z.int(),
  total: z.int(),
  left: z
    .int()
    .openapi({ description: 'Files that could not be re-sealed; they keep the key-encryption key of before.' }),
  running: z.boolean(),
})

export const rotateRootRoute: Route = defineRoute({
  operation: 'rotateRoot',
  summary: 'Change the root key of the key store, in one atomic write; with reseal, seal everything anew',
  methods: ['POST'],
  paths: ['/kms/rotate-root'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Configure'],
  body: rotateRootBody,
  query: dryRunQuery,
  reply: successReply({
    status: wireStatus,
    revision: z.int().min(0),
    changed: z.boolean(),
    reseal: progress.nullable(),
  }),
  indented: true,
  lifecycle: true,
  async handle({ manager, caller, body, query }) {
    const report = await manager.rotateRoot(body, caller, { dryRun: query })
    const { status, revision, outcome, notes, reseal = null } = report
    const changed = outcome === 'root rotated'
    const what = changed ? 'The root key was changed.' : 'unchanged: the root key is the one of before.'
    const how = reseal?.running === true ? ['A re-seal is under way.'] : []
    return { body: { success: true, message: [what, ...how, ...notes].join(' '), status, revision, changed, reseal } }
  },
})
