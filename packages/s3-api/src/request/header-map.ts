import { invalidArgument } from '../s3-error.ts'

/** Values of headers by lower-case name, blanks around them removed; those of repeated ones joined by a comma. */
export type HeaderMap = ReadonlyMap<string, string>

/** Headers that mean nothing, or something else, when they come twice. */
const SINGLE = /^(?:x-amz-(?!meta-)|content-(?:length|md5|type)$|host$|range$|if-)/

/** Reads name, value, name, value…, in any case. Throws `InvalidArgument` for a header twice that must come once. */
export function readHeaderMap(rawHeaders: readonly string[]): HeaderMap {
  const headers = new Map<string, string>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    const value = (rawHeaders[index + 1] as string).replace(/^[ \t]+|[ \t]+$/g, '')
    const before = headers.get(name)
    if (before !== undefined && SINGLE.test(name)) throw invalidArgument(name, 'The header must come only once.')
    headers.set(name, before === undefined ? value : `${before},${value}`)
  }
  return headers
}
