import { SigV4Error } from './sigv4-error.ts'

/** Sizes of file a form may carry, in bytes, both ends included. */
export interface ContentLengthRange {
  readonly minBytes: number
  readonly maxBytes: number
}

/** A policy document, read. */
export interface PostPolicy {
  readonly expiresAtMs: number
  readonly conditions: readonly PostCondition[]
}

/** What a field must be; `never` is a condition of a shape S3 accepts in a document and never finds fulfilled. */
type PostCondition = { readonly text: string } & (
  | { readonly kind: 'eq' | 'starts-with'; readonly field: string; readonly value: string }
  | { readonly kind: 'content-length-range'; readonly range: ContentLengthRange }
  | { readonly kind: 'never' }
)

const isoUtc = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,3})?Z$/
const bareNumber = /^\d{1,15}$/

/**
 * Reads the `policy` field (Amazon S3 API reference, "POST policy"): base64 of UTF-8 JSON. Throws {@link SigV4Error}
 * `InvalidPolicyDocument`.
 */
export function parsePostPolicy(encoded: string): PostPolicy {
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.toString('base64') !== encoded) throw invalidPolicy('invalid Base64 encoding.')
  const document = parseJson(bytes)
  if (!isObject(document)) throw invalidPolicy('Invalid JSON.')
  let expiration: unknown
  let conditions: unknown
  for (const [name, value] of Object.entries(document)) {
    if (name === 'expiration') expiration = value
    else if (name === 'conditions') conditions = value
    else throw invalidPolicy(`Unexpected: '${name.toLowerCase()}'`)
  }
  if (expiration === undefined) throw invalidPolicy('Policy missing expiration.')
  if (conditions === undefined) throw invalidPolicy('Policy missing conditions.')
  if (!Array.isArray(conditions)) throw invalidPolicy("Invalid 'conditions' value: must be a List.")
  return { expiresAtMs: parseExpiration(expiration), conditions: conditions.map(parseCondition) }
}

/** What {@link checkPostPolicy} holds against the policy. Names of fields are in lower case. */
export interface PostForm {
  /** What conditions are about: the fields, with `bucket` and `key` as they will be used. */
  readonly values: ReadonlyMap<string, string>
  /** The fields conditions must cover, by the name in `values`, spelled as sent. */
  readonly mustCover: ReadonlyMap<string, string>
}

/**
 * Checks that every condition is fulfilled and every field covered by one; returns the sizes of file that are allowed,
 * `undefined` for any. Throws {@link SigV4Error} `AccessDenied`.
 */
export function checkPostPolicy(policy: PostPolicy, form: PostForm, nowMs: number): ContentLengthRange | undefined {
  if (nowMs > policy.expiresAtMs) throw notAccording('Policy expired.')
  let range: ContentLengthRange | undefined
  const covered = new Set<string>()
  for (const condition of policy.conditions) {
    if (condition.kind === 'content-length-range') {
      range = {
        minBytes: Math.max(range?.minBytes ?? 0, condition.range.minBytes),
        maxBytes: Math.min(range?.maxBytes ?? Number.POSITIVE_INFINITY, condition.range.maxBytes),
      }
    } else {
      if (!isFulfilled(condition, form.values)) throw notAccording(`Policy Condition failed: ${condition.text}`)
      if (condition.kind !== 'never') covered.add(condition.field)
    }
  }
  const extra = [...form.mustCover].filter(([name]) => !covered.has(name)).map(([, asSent]) => asSent)
  if (extra.length > 0) throw notAccording(`Extra input fields: ${extra.join(', ')}`)
  return range
}

/**
 * Checks the size of the file, once it is known; while it arrives, `range.maxBytes` says when to give up. Throws
 * `SigV4Error` `EntityTooSmall` or `EntityTooLarge`. Passes when the policy sets no range.
 */
export function checkContentLength(range: ContentLengthRange | undefined, bytes: number): void {
  if (range === undefined) return
  if (bytes < range.minBytes) {
    throw new SigV4Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size')
  }
  if (bytes > range.maxBytes) {
    throw new SigV4Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size')
  }
}

/** A field that is absent fulfils nothing, not even `["starts-with", "$field", ""]`. */
function isFulfilled(condition: PostCondition, values: ReadonlyMap<string, string>): boolean {
  if (condition.kind !== 'eq' && condition.kind !== 'starts-with') return false
  const { kind, field, value } = condition
  const sent = values.get(field)
  if (sent === undefined) return false
  if (kind === 'eq') return sent === value
  // "POST policy", Condition matching: a Content-Type with commas is a list, and each part must match.
  const parts = field === 'content-type' ? sent.split(',').map((part) => part.trim()) : [sent]
  return parts.every((part) => part.startsWith(value))
}

function parseCondition(condition: unknown): PostCondition {
  if (Array.isArray(condition)) return parseListCondition(condition)
  if (!isObject(condition)) throw invalidPolicy('Invalid Condition: must be a List or Object.')
  const [only, ...others] = Object.entries(condition)
  if (only === undefined || others.length > 0) {
    throw invalidPolicy('Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.')
  }
  const [name, value] = only
  if (typeof value !== 'string') throw invalidPolicy('Invalid Simple-Condition: value must be a string.')
  return { kind: 'eq', field: name.toLowerCase(), value, text: asText(['eq', `$${name}`, value]) }
}

function parseListCondition(condition: readonly unknown[]): PostCondition {
  const [operation, first, second] = condition
  if (typeof operation !== 'string') throw invalidPolicy('Invalid Condition: missing operation identifier.')
  const kind = operation.toLowerCase()
  if (kind !== 'eq' && kind !== 'starts-with' && kind !== 'content-length-range') {
    throw invalidPolicy(`Invalid Condition: unknown operation '${operation}'.`)
  }
  if (condition.length !== 3) throw invalidPolicy(`Invalid ${kind}: wrong number of arguments.`)
  const text = asText(condition)
  if (kind === 'content-length-range') {
    const [minBytes, maxBytes] = [parseBound(first), parseBound(second)]
    if (minBytes === undefined || maxBytes === undefined) return { kind: 'never', text }
    return { kind, range: { minBytes, maxBytes }, text }
  }
  if (typeof first !== 'string' || typeof second !== 'string') throw invalidPolicy('Invalid JSON.')
  if (!first.startsWith('$')) return { kind: 'never', text }
  return { kind, field: first.slice(1).toLowerCase(), value: second, text }
}

/** A number, or one in a string; `undefined` for text that is none. */
function parseBound(bound: unknown): number | undefined {
  if (typeof bound === 'string') return bareNumber.test(bound) ? Number(bound) : undefined
  if (typeof bound === 'number' && Number.isSafeInteger(bound) && bound >= 0) return bound
  throw invalidPolicy('Invalid content-length-range: the bounds must be whole numbers of bytes.')
}

function parseExpiration(expiration: unknown): number {
  const text = typeof expiration === 'string' ? expiration : JSON.stringify(expiration)
  const seconds = isoUtc.exec(text)?.[1]
  const epochMs = seconds === undefined ? Number.NaN : Date.parse(text)
  // Date.parse takes 31 February for 3 March.
  if (seconds === undefined || Number.isNaN(epochMs) || !new Date(epochMs).toISOString().startsWith(seconds)) {
    throw invalidPolicy(`Invalid 'expiration' value: '${text}'`)
  }
  return epochMs
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    throw invalidPolicy('Invalid JSON.')
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A condition as S3 quotes it. */
function asText(condition: readonly unknown[]): string {
  return `[${condition.map((part) => JSON.stringify(part)).join(', ')}]`
}

function invalidPolicy(reason: string): SigV4Error {
  return new SigV4Error('InvalidPolicyDocument', `Invalid Policy: ${reason}`)
}

function notAccording(reason: string): SigV4Error {
  return new SigV4Error('AccessDenied', `Invalid according to Policy: ${reason}`)
}
