import { type Caller, principalArn, principalType } from '../principal.ts'

/**
 * What a request says of itself beside action and resource: condition keys (`aws:SourceIp`, `s3:prefix`,
 * `kms:EncryptionContext:tenant`, …) and their values. Keys are compared without regard to case; two keys that differ
 * in case alone are one key with the values of both.
 */
export type RequestContext = ReadonlyMap<string, readonly string[]>

/** Looks a condition key up by its lower-case name; `undefined` when the request does not carry it. */
export type Facts = (key: string) => readonly string[] | undefined

/**
 * The condition keys of one request, folded on the first look-up. What identifies the caller and the time is set here
 * and cannot be overridden by `context`, which may hold what a client sent.
 */
export function createFacts(
  context: RequestContext | undefined,
  caller: Caller | undefined,
  time: number | undefined,
): Facts {
  let folded: Map<string, readonly string[]> | undefined
  return (key) => {
    folded ??= fold(context, caller, time)
    return folded.get(key)
  }
}

/** Condition keys only this package sets. */
const OWN_KEYS: ReadonlySet<string> = new Set([
  'aws:username',
  'aws:userid',
  'aws:principaltype',
  'aws:principalarn',
  'aws:currenttime',
  'aws:epochtime',
])

function fold(
  context: RequestContext | undefined,
  caller: Caller | undefined,
  time: number | undefined,
): Map<string, readonly string[]> {
  const folded = new Map<string, readonly string[]>()
  for (const [name, values] of context ?? []) {
    const key = name.toLowerCase()
    // An empty list is how a caller says "nothing to tell", which AWS calls a missing key.
    if (values.length === 0 || OWN_KEYS.has(key)) continue
    const present = folded.get(key)
    folded.set(key, present === undefined ? values : [...present, ...values])
  }
  if (caller !== undefined) {
    folded.set('aws:principaltype', [principalType(caller)])
    const arn = principalArn(caller)
    if (arn !== undefined) folded.set('aws:principalarn', [arn])
    // AWS sets aws:username for IAM users only: neither for the account itself nor for anonymous callers.
    if (caller.kind === 'user') {
      folded.set('aws:username', [caller.name])
      folded.set('aws:userid', [caller.name])
    }
  }
  if (time !== undefined) {
    folded.set('aws:currenttime', [new Date(time).toISOString()])
    folded.set('aws:epochtime', [String(Math.floor(time / 1000))])
  }
  return folded
}
