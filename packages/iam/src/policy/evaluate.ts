import { type Caller, principalArn } from '../principal.ts'
import { conditionHolds } from './condition.ts'
import { createFacts, type Facts, type RequestContext } from './facts.ts'
import { coversPrefix, matchGlob, reachesPrefix } from './glob.ts'
import type { Policy, PrincipalElement, ResourceElement, Statement } from './policy.ts'
import { expandTemplate } from './template.ts'

/** `deny` is explicit and final; `none` means that nothing allows the request. */
export type Verdict = 'allow' | 'deny' | 'none'

/** One action on one resource. */
export interface PolicyRequest {
  /** `service:Name`; case does not matter. */
  readonly action: string
  /** ARN; case matters. */
  readonly resource: string
  /** Sets `aws:username`, `aws:userid`, `aws:PrincipalType`, `aws:PrincipalArn`; absent matches no named `Principal`. */
  readonly principal?: Caller
  readonly context?: RequestContext
  /** Milliseconds since 1970; sets `aws:CurrentTime` and `aws:EpochTime`. */
  readonly time?: number
}

/**
 * Decides by the AWS page "Policy evaluation logic": one Deny that applies wins over every Allow, and without an Allow
 * the answer is `none`. The order of policies and statements does not matter.
 */
export function evaluate(options: { readonly policies: readonly Policy[]; readonly request: PolicyRequest }): Verdict {
  const { request } = options
  const action = request.action.toLowerCase()
  const facts = createFacts(request.context, request.principal, request.time)
  let allowed = false
  for (const policy of options.policies) {
    for (const statement of policy.statements) {
      if (statement.effect === 'Allow' && allowed) continue
      if (!applies(statement, action, request, facts)) continue
      if (statement.effect === 'Deny') return 'deny'
      allowed = true
    }
  }
  return allowed ? 'allow' : 'none'
}

/**
 * The verdict on the action for all resources whose ARN starts with `prefix` and is longer: `deny` when a Deny without
 * conditions covers every one of them, `allow` when an Allow whose conditions hold now reaches at least one, else
 * `none`. Denies of some of them are not weighed against each Allow, so `allow` may be too hopeful.
 */
export function evaluatePrefix(options: {
  readonly policies: readonly Policy[]
  readonly request: Omit<PolicyRequest, 'resource'> & { readonly prefix: string }
}): Verdict {
  const { prefix, principal, context, time } = options.request
  const action = options.request.action.toLowerCase()
  const facts = createFacts(context, principal, time)
  const statements = options.policies
    .flatMap((policy) => policy.statements)
    .filter((statement) => matchesAction(statement, action) && matchesPrincipal(statement.principal, principal))
  const denied = statements.some(
    ({ effect, conditions, resource }) =>
      effect === 'Deny' && conditions.length === 0 && coversAll(resource, prefix, facts),
  )
  if (denied) return 'deny'
  const allowed = statements.some(
    ({ effect, conditions, resource }) =>
      effect === 'Allow' &&
      reachesSome(resource, prefix, facts) &&
      conditions.every((condition) => conditionHolds(condition, facts)),
  )
  return allowed ? 'allow' : 'none'
}

function applies(statement: Statement, action: string, request: PolicyRequest, facts: Facts): boolean {
  return (
    matchesAction(statement, action) &&
    matchesPrincipal(statement.principal, request.principal) &&
    matchesResource(statement, request.resource, facts) &&
    statement.conditions.every((condition) => conditionHolds(condition, facts))
  )
}

function matchesAction({ action: element }: Statement, action: string): boolean {
  return element.globs.some((glob) => matchGlob(glob, action)) !== element.not
}

function matchesPrincipal(element: PrincipalElement | undefined, caller: Caller | undefined): boolean {
  if (element === undefined) return true
  const arn = caller === undefined ? undefined : principalArn(caller)
  return (element.everyone || (arn !== undefined && element.arns.has(arn))) !== element.not
}

function matchesResource({ effect, resource: element }: Statement, resource: string, facts: Facts): boolean {
  if (element === undefined) return true
  let matched = false
  for (const template of element.templates) {
    const glob = expandTemplate(template, facts)
    if (glob === undefined) {
      // A variable without a value equals nothing (AWS). For Allow + NotResource that would open everything.
      if (element.not && effect === 'Allow') return false
    } else if (matchGlob(glob, resource)) {
      matched = true
    }
  }
  return matched !== element.not
}

function reachesSome(element: ResourceElement | undefined, prefix: string, facts: Facts): boolean {
  if (element === undefined) return true
  const globs = element.templates.map((template) => expandTemplate(template, facts))
  if (element.not) return globs.every((glob) => glob !== undefined && !coversPrefix(glob, prefix))
  return globs.some((glob) => glob !== undefined && reachesPrefix(glob, prefix))
}

function coversAll(element: ResourceElement | undefined, prefix: string, facts: Facts): boolean {
  if (element === undefined) return true
  const globs = element.templates.map((template) => expandTemplate(template, facts))
  if (element.not) return globs.every((glob) => glob === undefined || !reachesPrefix(glob, prefix))
  return globs.some((glob) => glob !== undefined && coversPrefix(glob, prefix))
}
