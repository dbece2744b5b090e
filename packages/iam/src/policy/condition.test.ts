import { describe, expect, it } from 'vitest'
import { conditionOperators } from './condition-operators.ts'
import { evaluate } from './evaluate.ts'
import { parsePolicy } from './parse-policy.ts'

type Condition = Record<string, Record<string, unknown>>

function holds(condition: Condition, context: Record<string, readonly string[]> = {}, version = '2012-10-17'): boolean {
  const policy = parsePolicy({
    Version: version,
    Statement: { Effect: 'Allow', Action: '*', Resource: '*', Condition: condition },
  })
  const request = {
    action: 'kms:Decrypt',
    resource: 'arn:aws:kms:::key/k',
    principal: { kind: 'user', name: 'ann' } as const,
    context: new Map(Object.entries(context)),
  }
  return evaluate({ policies: [policy], request }) === 'allow'
}

/** Per operator: a policy value, request values it compares true with (before any negation), and false with. */
const operators: readonly [string, string | readonly string[], readonly string[], readonly string[]][] = [
  ['StringEquals', ['red', 'blue'], ['red', 'blue'], ['Red', 'green', '', 'r*']],
  ['StringNotEquals', ['red', 'blue'], ['red', 'blue'], ['Red', 'green']],
  ['StringEqualsIgnoreCase', 'Red', ['red', 'RED'], ['blue']],
  ['StringNotEqualsIgnoreCase', 'Red', ['red', 'RED'], ['blue']],
  ['StringLike', ['re?', 'b*'], ['red', 'b', 'blue'], ['Red', 'read', 're']],
  ['StringNotLike', ['re?', 'b*'], ['red', 'b', 'blue'], ['Red', 'read', 're']],
  ['NumericEquals', '10', ['10', '10.0', '+10', '1e1'], ['11', 'ten', '0x0a', ' 10', '1e999']],
  ['NumericNotEquals', '10', ['10', '10.0'], ['11', 'ten']],
  ['NumericLessThan', '10', ['9', '-1', '9.99'], ['10', '11', 'few']],
  ['NumericLessThanEquals', '10', ['9', '10'], ['10.01', 'few']],
  ['NumericGreaterThan', '10', ['11', '10.01'], ['10', '9', 'many']],
  ['NumericGreaterThanEquals', '10', ['10', '11'], ['9', 'many']],
  ['DateEquals', '2026-01-01', ['2026-01-01T00:00:00Z', '1767225600'], ['2026-01-02', 'today']],
  ['DateNotEquals', '2026-01-01', ['2026-01-01T00:00Z'], ['2026-01-02', 'today']],
  ['DateLessThan', '2026-01-01', ['2025-12-31T23:59:59Z'], ['2026-01-01', '2027', 'today']],
  ['DateLessThanEquals', '2026-01-01', ['2025', '2026-01-01'], ['2026-01-01T00:00:01Z', 'today']],
  ['DateGreaterThan', '2026-01-01', ['2026-01-02'], ['2026-01-01', '2025', 'today']],
  ['DateGreaterThanEquals', '2026-01-01', ['2026-01-01', '2027'], ['2025', 'today']],
  ['Bool', 'true', ['true', 'TRUE'], ['false', '1', '']],
  ['BinaryEquals', 'AAE=', ['AAE='], ['AAI=', 'AAE', 'AAF=']],
  [
    'IpAddress',
    ['10.0.0.0/8', '2001:db8::/32'],
    ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1%eth0'],
    ['11.0.0.1', '::1', 'x'],
  ],
  ['NotIpAddress', ['10.0.0.0/8', '2001:db8::/32'], ['10.1.2.3', '2001:db8::1'], ['11.0.0.1', '::1', 'x']],
  ['ArnEquals', 'arn:aws:s3:::b/*', ['arn:aws:s3:::b/x:y'], ['arn:aws:s3:::B/x', 'b/x', 'arn:aws:s3:x::b/y']],
  ['ArnLike', 'arn:aws:*:*:*:b', ['arn:aws:s3:::b', 'arn:aws:sns:eu:1:b'], ['arn:aws:s3:::c', 'arn:aws:b']],
  ['ArnNotEquals', 'arn:aws:s3:::b/*', ['arn:aws:s3:::b/x'], ['arn:aws:s3:::c', 'b/x']],
  ['ArnNotLike', 'arn:aws:*:*:*:b', ['arn:aws:s3:::b'], ['arn:aws:s3:::c', 'arn:aws:b']],
]

/** What a condition yields: request value compares true, false, one of each, key missing, empty list. */
type Truth = readonly [match: boolean, mismatch: boolean, both: boolean, missing: boolean]
const truth: Readonly<Record<'positive' | 'negated', readonly [set: string, suffix: string, expected: Truth][]>> = {
  positive: [
    ['', '', [true, false, true, false]],
    ['', 'IfExists', [true, false, true, true]],
    ['ForAnyValue:', '', [true, false, true, false]],
    ['ForAnyValue:', 'IfExists', [true, false, true, true]],
    ['ForAllValues:', '', [true, false, false, true]],
    ['ForAllValues:', 'IfExists', [true, false, false, true]],
  ],
  negated: [
    ['', '', [false, true, false, true]],
    ['', 'IfExists', [false, true, false, true]],
    ['ForAnyValue:', '', [false, true, true, false]],
    ['ForAnyValue:', 'IfExists', [false, true, true, true]],
    ['ForAllValues:', '', [false, true, false, true]],
    ['ForAllValues:', 'IfExists', [false, true, false, true]],
  ],
}

it('the table below covers every operator', () => {
  expect(operators.map(([name]) => name)).toEqual([...conditionOperators.keys()])
})

describe.each(operators)('%s', (name, values, matching, mismatching) => {
  const polarity = name.includes('Not') ? 'negated' : 'positive'
  it.each(truth[polarity])(`%s${name}%s`, (set, suffix, [match, mismatch, both, missing]) => {
    const condition = { [`${set}${name}${suffix}`]: { 'x:Key': values } }
    const whereItHolds = (candidates: readonly string[]) =>
      candidates.filter((value) => holds(condition, { 'X:kEY': [value] }))
    expect(whereItHolds(matching)).toEqual(match ? matching : [])
    // A lone empty string is a null data set to the set operators; it has a test of its own.
    const compared = mismatching.filter((value) => value !== '' || set === '')
    expect(whereItHolds(compared)).toEqual(mismatch ? compared : [])
    const pair = [matching[0] ?? '', mismatching[0] ?? '']
    expect(holds(condition, { 'x:key': pair })).toBe(both)
    expect(holds(condition, { 'x:key': pair.toReversed() })).toBe(both)
    expect(holds(condition, { 'y:key': pair })).toBe(missing)
    expect(holds(condition, { 'x:key': [] })).toBe(missing)
  })
})

describe('set operators on a null data set', () => {
  it.each([
    ['ForAllValues:StringEquals', true],
    ['ForAllValues:StringNotEquals', true],
    ['ForAnyValue:StringEquals', false],
    ['ForAnyValue:StringNotEquals', false],
    ['ForAnyValue:StringEqualsIfExists', false],
    ['StringEquals', false],
    ['StringNotEquals', true],
  ])('%s: %j', (operator, expected) => {
    expect(holds({ [operator]: { 'x:key': 'a' } }, { 'x:key': [''] })).toBe(expected)
  })
})

describe('Null', () => {
  it.each<[unknown, readonly string[] | undefined, boolean]>([
    ['true', undefined, true],
    ['true', [], true],
    ['true', [''], true],
    ['true', ['x'], false],
    ['TRUE', ['x'], false],
    [true, undefined, true],
    ['false', undefined, false],
    ['false', [''], false],
    ['false', ['x'], true],
    [['true', 'false'], ['x'], true],
    [['true', 'false'], undefined, true],
  ])('%j on %j: %j', (wanted, values, expected) => {
    expect(holds({ Null: { 'x:key': wanted } }, values === undefined ? {} : { 'x:key': values })).toBe(expected)
  })
})

describe('several conditions', () => {
  it('must all hold, whether in one operator or in several', () => {
    const condition = { StringEquals: { 'x:a': 'a', 'x:b': 'b' }, Bool: { 'x:c': 'true' } }
    expect(holds(condition, { 'x:a': ['a'], 'x:b': ['b'], 'x:c': ['true'] })).toBe(true)
    expect(holds(condition, { 'x:a': ['a'], 'x:b': ['x'], 'x:c': ['true'] })).toBe(false)
    expect(holds(condition, { 'x:a': ['a'], 'x:b': ['b'], 'x:c': ['false'] })).toBe(false)
    expect(holds(condition, { 'x:a': ['a'], 'x:b': ['b'] })).toBe(false)
  })

  it('count one key in different case as one', () => {
    expect(holds({ 'ForAllValues:StringEquals': { 'x:a': ['1', '2'] } }, { 'x:A': ['1'], 'X:a': ['2'] })).toBe(true)
    expect(holds({ 'ForAllValues:StringEquals': { 'x:a': ['1'] } }, { 'x:A': ['1'], 'X:a': ['2'] })).toBe(false)
  })
})

describe('values', () => {
  it('may be JSON numbers and booleans', () => {
    expect(holds({ NumericLessThan: { 'x:n': 10 } }, { 'x:n': ['9'] })).toBe(true)
    expect(holds({ Bool: { 'x:b': false } }, { 'x:b': ['false'] })).toBe(true)
  })

  it('take policy variables in the String and Arn families', () => {
    const context = { 'x:key': ['ann'], 'x:arn': ['arn:aws:iam:::user/ann'] }
    expect(holds({ StringEquals: { 'x:key': '${aws:username}' } }, context)).toBe(true)
    expect(holds({ StringLike: { 'x:key': '${aws:username}*' } }, context)).toBe(true)
    expect(holds({ ArnLike: { 'x:arn': 'arn:aws:iam:::user/${aws:username}' } }, context)).toBe(true)
    expect(holds({ ArnEquals: { 'x:arn': '${aws:PrincipalArn}' } }, context)).toBe(true)
    expect(holds({ StringEquals: { 'x:key': '${aws:username}' } }, context, '2008-10-17')).toBe(false)
  })

  it('with a variable that has no value equal nothing', () => {
    expect(holds({ StringEquals: { 'x:key': '${x:none}' } }, { 'x:key': [''] })).toBe(false)
    expect(holds({ StringNotEquals: { 'x:key': '${x:none}' } }, { 'x:key': [''] })).toBe(true)
  })

  it.each([
    ['StringEquals', '*', 'x', false],
    ['StringEquals', '${*}', '*', true],
    ['StringLike', '${*}', 'x', false],
    ['StringLike', '${*}', '*', true],
  ])('%s %s on %s: %j', (operator, value, actual, expected) => {
    expect(holds({ [operator]: { 'x:key': value } }, { 'x:key': [actual] })).toBe(expected)
  })
})
