import { expect, test } from 'vitest'
import { checkContentLength, checkPostPolicy, parsePostPolicy } from './post-policy.ts'
import type { SigV4ErrorCode } from './sigv4-error.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const expiration = '2026-11-23T12:00:00Z'
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const encode = (document: unknown): string => base64(JSON.stringify(document))
const withConditions = (...conditions: readonly unknown[]): string => encode({ expiration, conditions })

/** Holds a policy of these conditions against fields; all of them need covering where `cover` is true. */
function check(conditions: readonly unknown[], fields: Readonly<Record<string, string>>, cover = false) {
  const values = new Map(Object.entries(fields))
  const mustCover = new Map(cover ? [...values.keys()].map((name) => [name, name]) : [])
  return checkPostPolicy(parsePostPolicy(withConditions(...conditions)), { values, mustCover }, NOW)
}

// Messages without a mark are S3's; those marked are ours, where no answer of S3 is known.
test.each([
  ['base64 that is none', '{"expiration"', 'invalid Base64 encoding.'], // ours
  [
    'base64 that is not canonical',
    encode({ expiration, conditions: [] }).replaceAll('=', ''),
    'invalid Base64 encoding.',
  ], // ours
  ['base64 with a line break', `${encode({ expiration, conditions: [] })}\n`, 'invalid Base64 encoding.'], // ours
  ['bytes that are not UTF-8', Buffer.from('{"\xff":1}', 'latin1').toString('base64'), 'Invalid JSON.'],
  ['a byte order mark', base64('\ufeff{}'), 'Invalid JSON.'],
  ['a trailing comma', base64(`{"expiration":"${expiration}","conditions":[],}`), 'Invalid JSON.'],
  ['a list', encode([]), 'Invalid JSON.'],
  ['null', encode(null), 'Invalid JSON.'],
  ['no expiration', encode({ conditions: [] }), 'Policy missing expiration.'], // ours
  ['no conditions', encode({ expiration }), 'Policy missing conditions.'], // ours
  ['members in capitals', encode({ EXPIRATION: expiration, conditions: [] }), "Unexpected: 'expiration'"],
  ['a bucket policy', encode({ Statement: [] }), "Unexpected: 'statement'"],
  [
    'a member called __proto__',
    base64(`{"__proto__":1,"expiration":"${expiration}","conditions":[]}`),
    "Unexpected: '__proto__'",
  ],
  [
    'conditions that are no list',
    encode({ expiration, conditions: {} }),
    "Invalid 'conditions' value: must be a List.",
  ], // ours
  ['a condition that is text', withConditions('x'), 'Invalid Condition: must be a List or Object.'], // ours
  ['a condition that is null', withConditions(null), 'Invalid Condition: must be a List or Object.'], // ours
  [
    'an empty condition',
    withConditions({}),
    'Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.',
  ],
  [
    'two fields in one',
    withConditions({ a: 'b', c: 'd' }),
    'Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.',
  ],
  ['a number to match', withConditions({ a: 1 }), 'Invalid Simple-Condition: value must be a string.'],
  ['an empty list', withConditions([]), 'Invalid Condition: missing operation identifier.'],
  [
    'an unknown operation',
    withConditions(['ends-with', '$key', 'x']),
    "Invalid Condition: unknown operation 'ends-with'.",
  ], // ours
  [
    'an inherited operation',
    withConditions(['constructor', '$key', 'x']),
    "Invalid Condition: unknown operation 'constructor'.",
  ], // ours
  ['two arguments too few', withConditions(['eq', '$key']), 'Invalid eq: wrong number of arguments.'], // ours
  ['one too many', withConditions(['eq', '$key', 'x', 'y']), 'Invalid eq: wrong number of arguments.'], // ours
  [
    'a range of one end',
    withConditions(['content-length-range', 0]),
    'Invalid content-length-range: wrong number of arguments.',
  ], // ours
  ['eq of a number', withConditions(['eq', '$key', 1]), 'Invalid JSON.'], // ours
  [
    'a negative bound',
    withConditions(['content-length-range', -1, 0]),
    'Invalid content-length-range: the bounds must be whole numbers of bytes.',
  ], // ours
  [
    'half a byte',
    withConditions(['content-length-range', 0, 0.5]),
    'Invalid content-length-range: the bounds must be whole numbers of bytes.',
  ], // ours
  [
    'no bound',
    withConditions(['content-length-range', null, 0]),
    'Invalid content-length-range: the bounds must be whole numbers of bytes.',
  ], // ours
])('a document with %s is refused', (_, policy, reason) => {
  const message = `Invalid Policy: ${reason}`
  expect(() => parsePostPolicy(policy)).toThrow(
    expect.objectContaining({ code: 'InvalidPolicyDocument', status: 400, message }),
  )
})

test.each([
  ['2026-11-23T12:00:00Z', NOW],
  ['2026-11-23T12:00:00.000Z', NOW],
  ['2026-11-23T12:00:00.5Z', NOW + 500],
  ['2026-11-23T12:00:00', undefined],
  ['2026-11-23T12:00:00+00:00', undefined],
  ['2026-11-23 12:00:00 UTC', undefined],
  ['2026-02-31T12:00:00Z', undefined],
  ['2026-11-23T25:00:00Z', undefined],
  ['', undefined],
  [1_795_435_200, undefined],
  [null, undefined],
])('expiration %j', (text, expiresAtMs) => {
  const policy = encode({ expiration: text, conditions: [] })
  if (expiresAtMs !== undefined) {
    expect(parsePostPolicy(policy).expiresAtMs).toBe(expiresAtMs)
    return
  }
  const message = `Invalid Policy: Invalid 'expiration' value: '${typeof text === 'string' ? text : JSON.stringify(text)}'`
  expect(() => parsePostPolicy(policy)).toThrow(expect.objectContaining({ code: 'InvalidPolicyDocument', message }))
})

test('a policy works until its expiration, that instant included', () => {
  const policy = parsePostPolicy(withConditions())
  const form = { values: new Map<string, string>(), mustCover: new Map<string, string>() }
  expect(checkPostPolicy(policy, form, NOW)).toBeUndefined()
  expect(() => checkPostPolicy(policy, form, NOW + 1)).toThrow(
    expect.objectContaining({
      code: 'AccessDenied',
      status: 403,
      message: 'Invalid according to Policy: Policy expired.',
    }),
  )
})

test.each<readonly [unknown, string, string | undefined, boolean]>([
  [{ acl: 'private' }, 'acl', 'private', true],
  [{ ACL: 'private' }, 'acl', 'private', true],
  [{ acl: 'private' }, 'acl', 'Private', false],
  [{ acl: 'private' }, 'acl', undefined, false],
  [{ constructor: 'x' }, 'acl', 'x', false],
  [['eq', '$acl', 'private'], 'acl', 'private', true],
  [['EQ', '$aCl', 'private'], 'acl', 'private', true],
  [['eq', '$acl', 'private'], 'acl', 'private ', false],
  [['eq', '$acl', ''], 'acl', '', true],
  [['eq', '$acl', ''], 'acl', undefined, false],
  [['eq', 'acl', 'private'], 'acl', 'private', false],
  [['starts-with', '$key', 'user/'], 'key', 'user/a', true],
  [['StArTs-WiTh', '$KeY', 'user/'], 'key', 'user/', true],
  [['starts-with', '$key', 'user/'], 'key', 'User/a', false],
  [['starts-with', '$key', ''], 'key', '', true],
  [['starts-with', '$key', ''], 'key', undefined, false],
  [['starts-with', '$Content-Type', 'image/'], 'content-type', 'image/png, image/gif', true],
  [['starts-with', '$Content-Type', 'image/'], 'content-type', 'image/png,text/html', false],
  [['eq', '$Content-Type', 'a,b'], 'content-type', 'a,b', true],
  [['content-length-range', 'a', '10'], 'key', 'x', false],
])('%j, where %s is %j: %s', (condition, field, value, fulfilled) => {
  const fields = value === undefined ? {} : { [field]: value }
  if (fulfilled) {
    expect(check([condition], fields)).toBeUndefined()
    return
  }
  const parts = Array.isArray(condition) ? condition : ['eq', ...Object.entries(condition as object).flat()]
  if (!Array.isArray(condition)) parts[1] = `$${parts[1]}`
  const text = parts.map((part) => JSON.stringify(part)).join(', ')
  expect(() => check([condition], fields)).toThrow(
    expect.objectContaining({
      code: 'AccessDenied',
      message: `Invalid according to Policy: Policy Condition failed: [${text}]`,
    }),
  )
})

test('every field needs a condition', () => {
  const fields = { key: 'a', acl: 'private', __proto__x: '1' }
  const extra = (names: string): unknown =>
    expect.objectContaining({
      code: 'AccessDenied',
      message: `Invalid according to Policy: Extra input fields: ${names}`,
    })
  expect(check([{ key: 'a' }, { acl: 'private' }, ['starts-with', '$__proto__x', '']], fields, true)).toBeUndefined()
  expect(() => check([{ key: 'a' }, { acl: 'private' }], fields, true)).toThrow(extra('__proto__x'))
  expect(() => check([['content-length-range', 0, 1]], fields, true)).toThrow(extra('key, acl, __proto__x'))
})

test.each<readonly [readonly unknown[], object | undefined]>([
  [[], undefined],
  [[['content-length-range', 1, 10]], { minBytes: 1, maxBytes: 10 }],
  [[['content-length-range', '1', '10']], { minBytes: 1, maxBytes: 10 }],
  [
    [
      ['content-length-range', 0, 10],
      ['content-length-range', 5, 20],
    ],
    { minBytes: 5, maxBytes: 10 },
  ],
])('%j allow %j', (conditions, range) => {
  expect(check(conditions, {})).toEqual(range)
})

test.each<readonly [number, SigV4ErrorCode | undefined, string]>([
  [4, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size'],
  [5, undefined, ''],
  [10, undefined, ''],
  [11, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size'],
])('a file of %d bytes where 5 to 10 are allowed: %s', (bytes, code, message) => {
  const checking = (): void => checkContentLength({ minBytes: 5, maxBytes: 10 }, bytes)
  if (code === undefined) expect(checking).not.toThrow()
  else expect(checking).toThrow(expect.objectContaining({ code, status: 400, message }))
  expect(() => checkContentLength(undefined, bytes)).not.toThrow()
})
