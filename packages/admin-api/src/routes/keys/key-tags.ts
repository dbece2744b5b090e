import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import { isJsonObject } from '../../request/read-json.ts'

/** Tags as they came: zod's records drop one called `__proto__`. */
export const tagsField: z.ZodType = z.unknown().openapi({ type: 'object', additionalProperties: { type: 'string' } })

/** Reads {@link tagsField}. Throws `ValidationError` for anything but an object of strings. */
export function readTags(value: unknown): ReadonlyMap<string, string> {
  if (!isJsonObject(value)) throw badTags()
  const tags = new Map<string, string>()
  for (const [name, tag] of Object.entries(value)) {
    if (typeof tag !== 'string') throw badTags()
    tags.set(name, tag)
  }
  return tags
}

function badTags(): Error {
  return kmsError('ValidationError', { path: 'tags', reason: 'must be an object of strings' })
}
