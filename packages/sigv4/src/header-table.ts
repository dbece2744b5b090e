import { mustBeSigned } from './signed-headers.ts'
import { SigV4Error } from './sigv4-error.ts'

/** The headers of a request by lower-case name. */
export interface HeaderTable {
  /** Values with surrounding blanks removed; those of repeated headers joined by `,` in the order sent. */
  readonly values: ReadonlyMap<string, string>
  /** Names that were sent more than once. */
  readonly repeated: ReadonlySet<string>
  /** Whether a value holds a tab, or several blanks in a row. */
  readonly blankRuns: boolean
  /** How many of the headers must be signed. */
  readonly obligatory: number
}

const nothingRepeated: ReadonlySet<string> = new Set()
const surroundingBlanks = /^[ \t]+|[ \t]+$/g
// Latin-1 without line breaks (RFC 9110 §5.5): anything else could make two requests hash alike.
const notAFieldValue = /[\0\r\n\u0100-\uffff]/
const notPlain = /[\0\t\r\n\u0100-\uffff]| {2}/
const innerBlanks = /[ \t]+/g

/** Reads a flat list of name, value, name, value…, such as Node's `rawHeaders`. Throws `TypeError` for an odd length. */
export function readHeaders(rawHeaders: readonly string[]): HeaderTable {
  if (rawHeaders.length % 2 !== 0) throw new TypeError('rawHeaders must list a value after every name.')
  const values = new Map<string, string>()
  let repeated: Set<string> | undefined
  let blankRuns = false
  let obligatory = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    const value = trimBlanks(rawHeaders[index + 1] as string)
    if (notPlain.test(value)) {
      if (notAFieldValue.test(value)) {
        throw new SigV4Error('InvalidArgument', 'A header value has a character that HTTP does not allow.')
      }
      blankRuns = true
    }
    const before = values.get(name)
    if (before === undefined) {
      values.set(name, value)
      if (mustBeSigned(name)) obligatory++
    } else {
      values.set(name, `${before},${value}`)
      repeated ??= new Set()
      repeated.add(name)
    }
  }
  return { values, repeated: repeated ?? nothingRepeated, blankRuns, obligatory }
}

/** Refuses a header that may be sent once only. */
export function singleHeader(headers: HeaderTable, name: string): string | undefined {
  if (headers.repeated.has(name)) throw new SigV4Error('InvalidArgument', `Send the header "${name}" only once.`)
  return headers.values.get(name)
}

/**
 * The canonical headers: `name:value` lines in the order `signedHeaders` lists them, which for conforming clients is
 * sorted order; curl has an order of its own. Throws {@link SigV4Error} `SignatureDoesNotMatch` for one that did not arrive.
 */
export function canonicalHeaders(headers: HeaderTable, signedHeaders: readonly string[], collapse: boolean): string {
  const { values, blankRuns } = headers
  let lines = ''
  for (const name of signedHeaders) {
    const value = values.get(name)
    if (value === undefined) {
      throw new SigV4Error('SignatureDoesNotMatch', `The signed header "${name}" did not arrive.`)
    }
    lines += `${name}:${collapse && blankRuns ? collapseBlanks(value) : value}\n`
  }
  return lines
}

/** Whether {@link canonicalHeaders} depends on `collapse`: curl and awscurl leave inner runs of blanks as they are. */
export function hasInnerBlankRuns(headers: HeaderTable, signedHeaders: readonly string[]): boolean {
  return headers.blankRuns && signedHeaders.some((name) => hasBlankRun(headers.values.get(name) ?? ''))
}

function trimBlanks(value: string): string {
  if (value === '') return value
  return isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1))
    ? value.replace(surroundingBlanks, '')
    : value
}

function collapseBlanks(value: string): string {
  return hasBlankRun(value) ? value.replace(innerBlanks, ' ') : value
}

function hasBlankRun(value: string): boolean {
  return value.includes('  ') || value.includes('\t')
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09
}
