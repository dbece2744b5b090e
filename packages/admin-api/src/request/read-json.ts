import type { Buffer } from 'node:buffer'
import { z } from '@hono/zod-openapi'
import { kmsError, nearest } from '@kms/core'
import { parseStrictJson } from '@kms/core/internal'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Parses a body as JSON, whatever its `Content-Type` says; an empty one is `{}`. Throws `InvalidRequest` for bytes that
 * are not UTF-8, text that is not JSON, duplicate names, lone surrogates and deep nesting.
 */
export function readJson(body: Buffer): unknown {
  if (body.length === 0) return {}
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    throw kmsError('InvalidRequest', { reason: 'The body is not valid UTF-8.' })
  }
  const result = parseStrictJson(text)
  if (result.ok) return result.value
  throw kmsError('InvalidRequest', {
    reason: `The body cannot be used: ${result.reason.replace(/^the body /, 'it ')}.`,
  })
}

/** A JSON object as it was sent. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a route takes as its body. */
export interface BodyShape<T = unknown> {
  /** For the OpenAPI document. */
  readonly schema: z.ZodType
  /** Validates what was parsed. Throws `ValidationError` with the path of the field. */
  read(json: unknown): T
}

/**
 * A body of known fields, of which every one may be absent or null unless the schema says otherwise. `aliases` are other
 * accepted spellings of top-level fields, and in the document beside the canonical ones.
 */
export function objectBody<T>(
  schema: z.ZodObject & z.ZodType<T>,
  aliases: Readonly<Record<string, string>> = {},
): BodyShape<T> {
  const fields = new Map(Object.keys(schema.shape).map((name) => [name, name]))
  for (const [alias, name] of Object.entries(aliases)) fields.set(alias, name)
  const documented = schema.extend(
    Object.fromEntries(
      Object.entries(aliases).map(([alias, name]) => [alias, (schema.shape[name] as z.ZodType).optional()]),
    ),
  )
  return {
    schema: documented,
    read(json) {
      if (!isJsonObject(json)) {
        throw kmsError('ValidationError', { path: 'body', reason: 'must be a JSON object' })
      }
      const canonical: Record<string, unknown> = {}
      for (const name of Object.keys(json)) {
        const field = fields.get(name)
        if (field === undefined) throw unknownField(name, fields.keys())
        if (Object.hasOwn(canonical, field)) {
          throw kmsError('ValidationError', { path: field, reason: `stands there twice (also as "${name}")` })
        }
        canonical[field] = json[name]
      }
      const result = schema.safeParse(canonical)
      if (result.success) return result.data
      const issue = result.error.issues[0] as z.core.$ZodIssue
      const path = issue.path.map(String).join('.')
      const absent = canonical[String(issue.path[0])] === undefined
      throw kmsError('ValidationError', { path, reason: absent ? 'is required' : issue.message })
    },
  }
}

function unknownField(name: string, known: Iterable<string>): Error {
  const suggestion = nearest(name, known)
  const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
  return kmsError('ValidationError', { path: name.slice(0, 64), reason: `is not a known field${hint}` })
}

/** The body of a route that takes none: nothing, or `{}`. */
export const noBody: BodyShape = objectBody(z.strictObject({}))
