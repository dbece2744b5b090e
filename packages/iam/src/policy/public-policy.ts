import { parseIpNetwork } from './ip-network.ts'
import type { Policy, PrincipalElement } from './policy.ts'

/**
 * Condition keys whose fixed value ties a grant to somebody, lower case, from the AWS page "Blocking public access to
 * your Amazon S3 storage", "The meaning of 'public'". `s3:x-amz-server-side-encryption-aws-kms-key-id` is left out: that
 * value is the caller's own choice.
 */
const fixingKeys: ReadonlySet<string> = new Set([
  'aws:principalarn',
  'aws:principalorgid',
  'aws:sourcearn',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:sourceowner',
  'aws:sourceaccount',
  'aws:userid',
  's3:dataaccesspointaccount',
  's3:dataaccesspointarn',
])

/** Operators that hold for no other value than those listed, and not when the key is missing. */
const FIXING_OPERATOR = /^(?:ForAnyValue:)?(?:StringEquals|StringEqualsIgnoreCase|StringLike|ArnEquals|ArnLike)$/
const NETWORK_OPERATOR = /^(?:ForAnyValue:)?IpAddress$/

/** AWS calls networks broader than these public. */
const MIN_PREFIX = { 32: 8, 128: 32 } as const

/**
 * Whether a resource policy is public, as GetBucketPolicyStatus tells it. AWS takes every policy for public but those
 * that allow fixed callers only: each Allow must name its principals, or be limited by a condition to fixed values
 * (no wildcard, no variable) of one of AWS's keys or to networks of /8 (IPv4) or /32 (IPv6) and narrower. `NotPrincipal`
 * in an Allow is public. Denies do not count: what they leave may still be everybody's.
 */
export function isPublicPolicy(policy: Policy): boolean {
  const { Statement } = JSON.parse(policy.source) as { readonly Statement: unknown }
  const sources = (Array.isArray(Statement) ? Statement : [Statement]) as readonly { readonly Condition?: object }[]
  return policy.statements.some(
    ({ effect, principal }, index) =>
      effect === 'Allow' && !namesCallers(principal) && !isFixed(sources[index]?.Condition ?? {}),
  )
}

function namesCallers(principal: PrincipalElement | undefined): boolean {
  return principal !== undefined && !principal.not && !principal.everyone
}

/** All conditions must hold, so one that fixes the caller is enough. */
function isFixed(condition: object): boolean {
  return Object.entries(condition).some(([operator, block]: [string, object]) =>
    Object.entries(block).some(([key, value]: [string, unknown]) => {
      const folded = key.toLowerCase()
      const values = (Array.isArray(value) ? value : [value]).map(String)
      if (folded === 'aws:sourceip') return NETWORK_OPERATOR.test(operator) && values.every(isNarrowNetwork)
      return fixingKeys.has(folded) && FIXING_OPERATOR.test(operator) && values.every(isFixedValue)
    }),
  )
}

function isFixedValue(value: string): boolean {
  return !/[*?]|\$\{/.test(value)
}

function isNarrowNetwork(value: string): boolean {
  const network = parseIpNetwork(value)
  return network !== undefined && network.prefix >= MIN_PREFIX[network.bits]
}
