import { evaluate, type PolicyRequest } from './evaluate.ts'
import type { Policy } from './policy.ts'

/** As `Verdict`; `allow-by-resource` when only the resource's policy allows it. */
export type AccessVerdict = 'allow' | 'allow-by-resource' | 'deny' | 'none'

/**
 * Decides by the caller's policies and the one of the resource (a bucket policy), by the AWS page "Policy evaluation
 * logic", within one account: either may allow, an explicit deny in either wins. An anonymous caller has no policies of
 * its own, so only the resource's can allow it. Throws a TypeError when a policy is of the wrong kind: an identity
 * policy names nobody, so as a resource policy it would mean everybody.
 */
export function evaluateAccess(options: {
  readonly identity: readonly Policy[]
  readonly resource: Policy | undefined
  readonly request: PolicyRequest
}): AccessVerdict {
  const { identity, resource, request } = options
  for (const policy of identity) requireKind(policy, 'identity')
  const own = evaluate({ policies: identity, request })
  if (resource === undefined || own === 'deny') return own
  requireKind(resource, 'resource')
  const granted = evaluate({ policies: [resource], request })
  if (granted === 'deny' || own === 'allow') return granted === 'deny' ? 'deny' : 'allow'
  return granted === 'allow' ? 'allow-by-resource' : 'none'
}

function requireKind(policy: Policy, kind: Policy['kind']): void {
  if (policy.kind !== kind) throw new TypeError(`An ${policy.kind} policy stands where an ${kind} policy belongs.`)
}
