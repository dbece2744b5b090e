import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import { isJsonObject } from '../../request/read-json.ts'
import type { Query } from '../../request/read-query.ts'
import type { KeyClaim, QueryShape, RouteInput } from '../route.ts'

/** Query parameters that name a key; the first that says something counts. */
const PARAMETERS = ['keyId', 'key-id', 'key'] as const

/** Fields of a body that name a key, the canonical one first. */
const FIELDS = ['key_id', 'keyId', 'KeyId'] as const

const reference: z.ZodOptional<z.ZodString> = z
  .string()
  .optional()
  .openapi({ description: 'Id, alias, alias/<name> or ARN.' })

/** The parameters of routes that take a key in the query. */
export const keyParameters: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  PARAMETERS.map((name) => [name, reference]),
)

/** The field of bodies that name a key. */
export const keyField: z.ZodType<string | null | undefined> = z
  .string('must be a string')
  .nullish()
  .openapi({ description: 'Id, alias, alias/<name> or ARN; here or as keyId in the query.' })

/** Other spellings of {@link keyField}. */
export const keyFieldAliases: Readonly<Record<string, string>> = { keyId: 'key_id', KeyId: 'key_id' }

/** The key a query names; `undefined` when it names none. */
export function keyInQuery(query: Query): string | undefined {
  for (const name of PARAMETERS) {
    const key = query.get(name)
    if (key !== undefined && key !== '') return key
  }
  return undefined
}

/** A query that may name the key. */
export const keyQuery: QueryShape<string | undefined> = { schema: z.strictObject(keyParameters), read: keyInQuery }

/** What stands in the body, else in the query. Throws `ValidationError` when the two differ. */
export function eitherOf(
  path: string,
  inBody: string | null | undefined,
  inQuery: string | undefined,
): string | undefined {
  if (typeof inBody === 'string' && inQuery !== undefined && inBody !== inQuery) {
    throw kmsError('ValidationError', { path, reason: 'is one thing in the body and another in the query; give one' })
  }
  return inBody ?? inQuery
}

/** The key of a request that has to name one. Throws `ValidationError` when none is named, or two. */
export function requireKey(inBody: string | null | undefined, inQuery: string | undefined): string {
  const key = eitherOf('key_id', inBody, inQuery)
  if (key !== undefined) return key
  throw kmsError('ValidationError', { path: 'key_id', reason: 'is required: a key id, an alias or an ARN' })
}

/** The key a request is about, read leniently: for refusing it. */
export function claimedKey({ json, query }: RouteInput): KeyClaim | undefined {
  const body = isJsonObject(json) ? json : {}
  const inBody = FIELDS.map((name) => body[name]).find((value) => typeof value === 'string')
  const key = inBody ?? keyInQuery(query)
  return key === undefined ? undefined : { reference: key }
}
