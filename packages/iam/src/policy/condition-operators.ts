import { parseDateTime } from './date-time.ts'
import type { Facts } from './facts.ts'
import { matchGlob } from './glob.ts'
import { networkContains, parseIpNetwork } from './ip-network.ts'
import { policyError } from './policy-error.ts'
import { expandTemplate, parseTemplate } from './template.ts'

/** Compares one value of the request with one value of the policy. */
export type ConditionTest = (actual: string, facts: Facts) => boolean

export interface ConditionOperator {
  /** Whether the operator holds when no policy value matches, and therefore also when the key is missing. */
  readonly negated: boolean
  /**
   * Prepares a policy value. Throws a PolicyError when the operator could never match it: in a Deny such a value
   * would silently protect nothing.
   */
  compile(value: string, options: { readonly path: string; readonly variables: boolean }): ConditionTest
}

/** Operators that take policy variables: the String and Arn families (AWS, "Where you can use policy variables"). */
function textual(
  matches: (actual: string, expected: string) => boolean,
  options: { readonly wildcards: boolean; readonly negated: boolean },
): ConditionOperator {
  return {
    negated: options.negated,
    compile(value, { path, variables }) {
      const template = parseTemplate(value, { path, variables, wildcards: options.wildcards })
      return (actual, facts) => {
        const expected = expandTemplate(template, facts)
        return expected !== undefined && matches(actual, expected)
      }
    },
  }
}

/** Operators on parsed values. A request value that can't be parsed matches nothing, so a negated operator holds. */
function parsed<Value>(
  family: {
    readonly expects: string
    parse(text: string): Value | undefined
    parseActual?(text: string): Value | undefined
  },
  matches: (actual: Value, expected: Value) => boolean,
  negated = false,
): ConditionOperator {
  const parseActual = family.parseActual ?? family.parse
  return {
    negated,
    compile(value, { path }) {
      const expected = family.parse(value)
      if (expected === undefined) throw policyError(path, `must be ${family.expects}`)
      return (text) => {
        const actual = parseActual(text)
        return actual !== undefined && matches(actual, expected)
      }
    },
  }
}

const numeric = {
  expects: 'a decimal number',
  parse(text: string): number | undefined {
    if (!/^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/.test(text)) return undefined
    const value = Number(text)
    return Number.isFinite(value) ? value : undefined
  },
}
const date = { expects: 'an ISO 8601 date such as 2026-01-31T10:00:00Z, or epoch seconds', parse: parseDateTime }
const bool = {
  expects: '"true" or "false"',
  parse(text: string): boolean | undefined {
    const folded = text.toLowerCase()
    return folded === 'true' ? true : folded === 'false' ? false : undefined
  },
}
const binary = {
  expects: 'canonical base64',
  // Node's decoder is lenient; equal canonical encodings mean equal bytes.
  parse: (text: string): string | undefined =>
    Buffer.from(text, 'base64').toString('base64') === text ? text : undefined,
}
const ip = {
  expects: 'an IP address or a CIDR block such as 203.0.113.0/24 or 2001:db8::/32',
  parse: parseIpNetwork,
  // Sockets report link-local peers with their zone, fe80::1%eth0.
  parseActual: (text: string) => parseIpNetwork(text.replace(/%[^%/]*$/, '')),
}

const equal = (actual: unknown, expected: unknown): boolean => actual === expected
const less = (actual: number, expected: number): boolean => actual < expected
const lessOrEqual = (actual: number, expected: number): boolean => actual <= expected
const greater = (actual: number, expected: number): boolean => actual > expected
const greaterOrEqual = (actual: number, expected: number): boolean => actual >= expected
const equalIgnoringCase = (actual: string, expected: string): boolean => actual.toLowerCase() === expected.toLowerCase()
const like = (actual: string, expected: string): boolean => matchGlob(expected, actual)
const inNetwork = (actual: NonNullable<ReturnType<typeof parseIpNetwork>>, expected: typeof actual): boolean =>
  networkContains(expected, actual)

/** Each of the six parts of an ARN is matched on its own; the last keeps its colons (AWS, "ARN condition operators"). */
function arnLike(actual: string, expected: string): boolean {
  const actualParts = arnParts(actual)
  const expectedParts = arnParts(expected)
  return (
    actualParts.length === 6 &&
    expectedParts.length === 6 &&
    actualParts.every((part, index) => matchGlob(expectedParts[index] ?? '', part))
  )
}

function arnParts(arn: string): string[] {
  const parts = arn.split(':')
  return parts.length <= 6 ? parts : [...parts.slice(0, 5), parts.slice(5).join(':')]
}

const exact = { wildcards: false, negated: false }
const notExact = { wildcards: false, negated: true }
const glob = { wildcards: true, negated: false }
const notGlob = { wildcards: true, negated: true }

/**
 * The operators of the AWS page "IAM JSON policy elements: Condition operators" that compare values, by name. `Null`,
 * `…IfExists` and the set operators are about presence and live with the condition itself.
 */
export const conditionOperators: ReadonlyMap<string, ConditionOperator> = new Map([
  ['StringEquals', textual(equal, exact)],
  ['StringNotEquals', textual(equal, notExact)],
  ['StringEqualsIgnoreCase', textual(equalIgnoringCase, exact)],
  ['StringNotEqualsIgnoreCase', textual(equalIgnoringCase, notExact)],
  ['StringLike', textual(like, glob)],
  ['StringNotLike', textual(like, notGlob)],
  ['NumericEquals', parsed(numeric, equal)],
  ['NumericNotEquals', parsed(numeric, equal, true)],
  ['NumericLessThan', parsed(numeric, less)],
  ['NumericLessThanEquals', parsed(numeric, lessOrEqual)],
  ['NumericGreaterThan', parsed(numeric, greater)],
  ['NumericGreaterThanEquals', parsed(numeric, greaterOrEqual)],
  ['DateEquals', parsed(date, equal)],
  ['DateNotEquals', parsed(date, equal, true)],
  ['DateLessThan', parsed(date, less)],
  ['DateLessThanEquals', parsed(date, lessOrEqual)],
  ['DateGreaterThan', parsed(date, greater)],
  ['DateGreaterThanEquals', parsed(date, greaterOrEqual)],
  ['Bool', parsed(bool, equal)],
  ['BinaryEquals', parsed(binary, equal)],
  ['IpAddress', parsed(ip, inNetwork)],
  ['NotIpAddress', parsed(ip, inNetwork, true)],
  ['ArnEquals', textual(arnLike, glob)],
  ['ArnLike', textual(arnLike, glob)],
  ['ArnNotEquals', textual(arnLike, notGlob)],
  ['ArnNotLike', textual(arnLike, notGlob)],
])
