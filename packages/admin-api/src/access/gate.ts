import { type Authorize, type EncryptionContext, kmsError } from '@kms/core'
import type { Decisions } from '@kms/core/internal'
import type { Authorizer, RequestContext } from '@kms/iam'
import type { AuthenticatedRequest } from './authenticate.ts'

/** Actions of which one is enough; the first names the operation itself. */
export type Permission = readonly [string, ...string[]]

/** Decides for one caller and one operation, and remembers what it decided, also in `decisions` where those are kept. */
export interface Gate {
  /** Checks the operation on a key, by its resolved id. Throws `AccessDenied`, which does not say which key that was. */
  readonly authorize: Authorize
  /** Whether a key was authorised. */
  readonly passed: boolean
  /** The key that was last asked about, for audit. */
  readonly keyId: string | undefined
  /** Makes the encryption context known to policies: `kms:EncryptionContext:<key>`, `kms:EncryptionContextKeys`. */
  learn(context: EncryptionContext): void
  /** Checks the operation on the service as a whole. Throws `AccessDenied`. */
  requireService(): void
  /** Throws `AccessDenied` when the caller may do the operation on no key at all. */
  requireSomeKey(): void
}

export function createGate(
  authorizer: Authorizer,
  { principal, context }: Pick<AuthenticatedRequest, 'principal' | 'context'>,
  action: Permission,
  decisions?: Decisions,
): Gate {
  let facts: RequestContext = context
  const gate: { -readonly [M in keyof Gate]: Gate[M] } = {
    passed: false,
    keyId: undefined,
    authorize(id) {
      gate.keyId = id
      const resource = `arn:aws:kms:::key/${id}`
      const { allowed } = authorizer.authorize(principal, { action, resource, context: facts })
      decisions?.add(action[0], id, allowed)
      if (!allowed) throw denied(action)
      gate.passed = true
    },
    learn(encryptionContext) {
      if (encryptionContext.size === 0) return
      const learned = new Map(context)
      for (const [key, value] of encryptionContext) learned.set(`kms:EncryptionContext:${key}`, [value])
      facts = learned.set('kms:EncryptionContextKeys', [...encryptionContext.keys()])
    },
    requireService() {
      const { allowed } = authorizer.authorize(principal, { action, context: facts })
      decisions?.add(action[0], undefined, allowed)
      if (!allowed) throw denied(action)
    },
    requireSomeKey() {
      const { reason } = authorizer.authorize(principal, { action, context: facts })
      // What is forbidden on the whole service is forbidden on every key, by whatever else it may be allowed.
      const forbidden = reason === 'explicit-deny'
      if (!forbidden && action.some((name) => authorizer.mayOnSomeResource(principal, name, facts))) return
      decisions?.add(action[0], undefined, false)
      throw denied(action)
    },
  }
  return gate
}

/** The refusal; the same whether nothing allows the operation or something forbids it. */
export function denied(action: Permission): Error {
  return kmsError('AccessDenied', {
    reason: `This needs ${action.join(' or ')}, which the caller's policies do not allow.`,
  })
}
