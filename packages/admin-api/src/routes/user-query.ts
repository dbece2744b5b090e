import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import type { QueryShape } from './route.ts'

/** One required parameter. */
export function namedQuery(name: string, description = ''): QueryShape<string> {
  const parameter = z.string()
  return {
    schema: z.strictObject({ [name]: description === '' ? parameter : parameter.openapi({ description }) }),
    read(query) {
      const value = query.get(name)
      if (value === undefined || value === '') {
        throw kmsError('ValidationError', { path: name, reason: 'is required' })
      }
      return value
    },
  }
}

/** Throws `ValidationError`. */
export function readStatus(status: string): 'enabled' | 'disabled' {
  if (status === 'enabled' || status === 'disabled') return status
  throw kmsError('ValidationError', { path: 'status', reason: 'must be enabled or disabled' })
}

/** The names of a list separated by commas; none when it is empty. */
export function readNames(list: string): readonly string[] {
  return list === '' ? [] : list.split(',').map((name) => name.trim())
}

/** Text that may be absent, null or empty, which all mean the same. */
export function readOptional(value: string | null | undefined): string | undefined {
  return value === null || value === '' ? undefined : value
}
