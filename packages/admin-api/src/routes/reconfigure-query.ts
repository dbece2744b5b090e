import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import type { QueryShape } from './route.ts'

/** How a reconfigure is meant. */
export interface ReconfigureQuery {
  readonly dryRun: boolean
  readonly confirmWithinSeconds: number | undefined
}

/** What is misread here may be a change that was not meant: nothing but the documented spellings is taken. */
export const reconfigureQuery: QueryShape<ReconfigureQuery> = {
  schema: z.strictObject({
    dry_run: z
      .string()
      .optional()
      .openapi({ enum: ['true', 'false'], description: 'Tell what would change and prove it; change nothing.' }),
    confirm_within: z.string().optional().openapi({
      type: 'integer',
      minimum: 1,
      maximum: 86_400,
      description: 'Seconds after which the change is taken back unless it is confirmed.',
    }),
  }),
  read(query) {
    const dryRun = query.get('dry_run') ?? 'false'
    if (dryRun !== 'true' && dryRun !== 'false') {
      throw kmsError('ValidationError', { path: 'dry_run', reason: 'must be true or false' })
    }
    const seconds = query.get('confirm_within')
    // Core knows the bounds.
    if (seconds !== undefined && !/^[0-9]{1,9}$/.test(seconds)) {
      throw kmsError('ValidationError', { path: 'confirm_within', reason: 'must be a whole number of seconds' })
    }
    return { dryRun: dryRun === 'true', confirmWithinSeconds: seconds === undefined ? undefined : Number(seconds) }
  },
}
