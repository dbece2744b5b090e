import { invalidArgument, s3Error } from '../s3-error.ts'

/** Query parameters by decoded name; those of a signature are left out. */
export type Query = ReadonlyMap<string, string>

/**
 * Reads a raw query, `+` as a space, as signatures are verified. Throws `InvalidURI` for a broken escape, `InvalidArgument`
 * for a name that comes twice.
 */
export function readQuery(rawQuery: string): Query {
  const query = new Map<string, string>()
  if (rawQuery === '') return query
  for (const part of rawQuery.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decodeText((equals < 0 ? part : part.slice(0, equals)).replaceAll('+', ' '))
    if (name.startsWith('X-Amz-')) continue
    if (query.has(name)) throw invalidArgument(name.slice(0, 64), 'The query parameter must come only once.')
    query.set(name, equals < 0 ? '' : decodeText(part.slice(equals + 1).replaceAll('+', ' ')))
  }
  return query
}

/** Percent-decodes a piece of a target. Throws `InvalidURI`. */
export function decodeText(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw s3Error('InvalidURI')
  }
}
