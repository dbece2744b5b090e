import type { LifecycleReport, Precondition } from '@kms/core'
import type { Call } from './route.ts'

/** What the caller wants to be still true. */
export function precondition({ ifMatch }: Pick<Call, 'ifMatch'>): Precondition {
  return ifMatch === undefined ? {} : { ifMatch }
}

/** What happened, and what the operator should know about it. */
export function message(text: string, { notes }: Pick<LifecycleReport, 'notes'>): string {
  return [text, ...notes].join(' ')
}
