import { z } from '@hono/zod-openapi'
import { type KeyState, kmsError } from '@kms/core'
import type { Query } from '../../request/read-query.ts'
import { fold } from '../fold.ts'
import type { QueryShape } from '../route.ts'

/** What a listing was asked for. */
export interface ListQuery {
  /** 0–1000. */
  readonly limit: number
  readonly marker: string | undefined
  readonly state: KeyState | undefined
  /** Whether a filter was given that no key can pass. */
  readonly nothing: boolean
}

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000

/** Folded spelling → state; `undefined` for those a listed key never has. */
const STATES: ReadonlyMap<string, KeyState | undefined> = new Map([
  ['enabled', 'Enabled'],
  ['active', 'Enabled'],
  ['disabled', 'Disabled'],
  ['pendingdeletion', 'PendingDeletion'],
  ['unavailable', 'Unavailable'],
  ['deleted', undefined],
])

/** Folded spelling → whether keys have this usage. */
const USAGES: ReadonlyMap<string, boolean> = new Map([
  ['encryptdecrypt', true],
  ['signverify', false],
])

export const listQuery: QueryShape<ListQuery> = {
  schema: z.strictObject({
    limit: z
      .string()
      .optional()
      .openapi({ type: 'integer', minimum: 0, default: DEFAULT_LIMIT, description: 'Above 1000 means 1000.' }),
    marker: z.string().optional().openapi({ description: 'next_marker of the page before.' }),
    status: z.string().optional().openapi({ example: 'Enabled' }),
    usage: z.string().optional().openapi({ example: 'ENCRYPT_DECRYPT' }),
  }),
  read(query) {
    const limit = readLimit(query)
    const state = choose(query, 'status', STATES, 'Enabled, Active, Disabled, PendingDeletion, Unavailable or Deleted')
    const usage = choose(query, 'usage', USAGES, 'ENCRYPT_DECRYPT or SIGN_VERIFY')
    return {
      limit,
      marker: query.get('marker'),
      state: state?.value,
      nothing: (state !== undefined && state.value === undefined) || usage?.value === false,
    }
  },
}

function readLimit(query: Query): number {
  const text = query.get('limit')
  if (text === undefined) return DEFAULT_LIMIT
  if (!/^[0-9]+$/.test(text)) throw kmsError('ValidationError', { path: 'limit', reason: 'must be a whole number' })
  return Math.min(Number(text), MAX_LIMIT)
}

function choose<V>(
  query: Query,
  name: string,
  values: ReadonlyMap<string, V>,
  known: string,
): { readonly value: V } | undefined {
  const text = query.get(name)
  if (text === undefined) return undefined
  const folded = fold(text)
  if (!values.has(folded)) throw kmsError('ValidationError', { path: name, reason: `must be ${known}` })
  return { value: values.get(folded) as V }
}
