import fc from 'fast-check'
import type { RawRequest } from '../src/index.ts'

/** A request to sign, in decoded form; `target` is how every client under test writes it. */
export interface ArbitraryRequest {
  readonly method: string
  readonly service: string
  readonly segments: readonly string[]
  readonly query: readonly (readonly [string, string])[]
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly sessionToken: string | undefined
  readonly rawPath: string
  readonly rawQuery: string
  readonly target: string
}

export const runs: { readonly numRuns: number } = { numRuns: process.env['SLOW'] ? 3000 : 150 }
export const HOST: string = 'kms.example.com:9000'
export const NOW: number = Date.UTC(2026, 10, 23, 1, 2, 3)
export const TIMESTAMP: string = '20261123T010203Z'
export const credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}

const awkward = fc.constantFrom(...Array.from(`az09-._~ !'()*;:@&=+$,?#[]%"<>^{|}é€😀`))
const word = fc.string({ unit: awkward, minLength: 1, maxLength: 8 })
// Dot segments are left out: the clients under test disagree on who removes them.
const segment = word.filter((text) => !/^\.+$/.test(text))
const headerValue = fc
  .string({ unit: fc.constantFrom(...Array.from('aZ09 ,;="/')), minLength: 1, maxLength: 12 })
  .map((text) => text.trim())
  .filter((text) => text !== '')

export function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

export const arbitraryRequest: fc.Arbitrary<ArbitraryRequest> = fc
  .record({
    method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
    service: fc.constantFrom('s3', 'execute-api', 'kms', 'sts'),
    segments: fc.array(segment, { maxLength: 4 }),
    // Unique names: aws4 and aws4fetch sign only the first of several for S3.
    query: fc.uniqueArray(fc.tuple(word, fc.oneof(fc.constant(''), word)), {
      selector: ([name]) => name,
      maxLength: 5,
    }),
    headers: fc.dictionary(fc.constantFrom('x-amz-meta-a', 'x-amz-target', 'x-custom', 'accept'), headerValue),
    body: fc.oneof(fc.constant(''), fc.string({ unit: 'grapheme' })),
    sessionToken: fc.option(fc.constant('FwoGZX//token=='), { nil: undefined }),
  })
  .map((parts) => {
    const rawPath = `/${parts.segments.map(encode).join('/')}`
    const rawQuery = parts.query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
    return { ...parts, rawPath, rawQuery, target: rawQuery === '' ? rawPath : `${rawPath}?${rawQuery}` }
  })

/** What Node would report of a request with these headers. */
export function received(
  method: string,
  rawTarget: string,
  headers: Readonly<Record<string, string | number>>,
): RawRequest {
  return { method, rawTarget, rawHeaders: Object.entries(headers).flatMap(([name, value]) => [name, String(value)]) }
}
