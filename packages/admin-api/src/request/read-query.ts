import { kmsError, nearest } from '@kms/core'

/** Query parameters by decoded name; those of a signature are left out. */
export type Query = ReadonlyMap<string, string>

export const NO_PARAMETERS: Query = new Map()

/** Reads a raw query; `+` is a space. Throws `InvalidRequest` for a broken escape, `ValidationError` for a name sent twice. */
export function readQuery(rawQuery: string): Query {
  if (rawQuery === '') return NO_PARAMETERS
  const query = new Map<string, string>()
  for (const part of rawQuery.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals))
    if (name.startsWith('X-Amz-')) continue
    if (query.has(name)) throw kmsError('ValidationError', { path: shorten(name), reason: 'was sent twice' })
    query.set(name, equals < 0 ? '' : decode(part.slice(equals + 1)))
  }
  return query
}

/** Refuses parameters nobody reads: on a request that changes something, one ignored may be one that meant "don't". */
export function refuseUnknownParameters(query: Query, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (known.includes(name)) continue
    const suggestion = nearest(name, known)
    const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
    throw kmsError('ValidationError', { path: shorten(name), reason: `is not a query parameter of this route${hint}` })
  }
}

/** Percent-decodes a piece of a request target. Throws `InvalidRequest`. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw kmsError('InvalidRequest', { reason: 'The URL has a percent escape that is broken or is not UTF-8.' })
  }
}

function decode(text: string): string {
  return decodePercent(text.replaceAll('+', ' '))
}

function shorten(name: string): string {
  return name.slice(0, 64)
}
