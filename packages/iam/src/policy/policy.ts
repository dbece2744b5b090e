import type { Condition } from './condition.ts'
import type { Template } from './template.ts'

/** `Action`/`NotAction`: lower-case globs. */
export interface ActionElement {
  readonly not: boolean
  readonly globs: readonly string[]
}

/** `Resource`/`NotResource`. */
export interface ResourceElement {
  readonly not: boolean
  readonly templates: readonly Template[]
}

/** `Principal`/`NotPrincipal` of resource policies. */
export interface PrincipalElement {
  readonly not: boolean
  readonly everyone: boolean
  /** As `principalArn` writes them. */
  readonly arns: ReadonlySet<string>
}

export interface Statement {
  readonly sid: string | undefined
  readonly effect: 'Allow' | 'Deny'
  readonly action: ActionElement
  /** Absent only in resource policies: whatever the policy is attached to. */
  readonly resource: ResourceElement | undefined
  readonly principal: PrincipalElement | undefined
  readonly conditions: readonly Condition[]
}

/** A parsed policy, ready to be evaluated. Made by `parsePolicy`; immutable. */
export interface Policy {
  readonly kind: 'identity' | 'resource'
  /** The document as compact JSON, for showing it again. */
  readonly source: string
  readonly statements: readonly Statement[]
}
