import { uriDecode, uriEncode } from './uri-encoding.ts'

/** A query parameter, name and value in canonical encoding; a parameter without `=` has the empty value. */
export interface QueryParameter {
  readonly name: string
  readonly value: string
}

/**
 * The parameters of a raw query, in the order sent, duplicates included. A raw `+` is a space, as in every form-decoding
 * server (S3 among them) and in aws4, aws4fetch and MinIO: reading it otherwise here than the handler does would let
 * a signature over `%2B` be used for a space. Throws `SigV4Error` `InvalidURI` for a broken escape.
 */
export function parseQuery(rawQuery: string): readonly QueryParameter[] {
  if (rawQuery === '') return []
  const parameters: QueryParameter[] = []
  for (const part of rawQuery.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    parameters.push(
      equals < 0
        ? { name: recode(part), value: '' }
        : { name: recode(part.slice(0, equals)), value: recode(part.slice(equals + 1)) },
    )
  }
  return parameters
}

/** The canonical query string: sorted by encoded name, then by encoded value. `except` names a parameter to leave out. */
export function canonicalQuery(parameters: readonly QueryParameter[], except?: string): string {
  const kept = except === undefined ? [...parameters] : parameters.filter(({ name }) => name !== except)
  if (kept.length > 1) kept.sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
  let query = ''
  for (const { name, value } of kept) query += query === '' ? `${name}=${value}` : `&${name}=${value}`
  return query
}

function recode(text: string): string {
  return uriEncode(uriDecode(text.includes('+') ? text.replaceAll('+', ' ') : text))
}

/** By code unit; encoded text is ASCII, so this is byte order. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
