import type { Policy } from './policy/policy.ts'
import type { Principal } from './principal.ts'
import { createStoredCredential, type StoredCredential } from './stored-credential.ts'

export type AccountStatus = 'enabled' | 'disabled'

/** A long-term access key as it is now. Immutable: whatever changes about it makes another one. */
export interface Account {
  readonly status: AccountStatus
  readonly credential: StoredCredential
  /**
   * Milliseconds since 1970: sessions issued then or before have ended. 0 where nobody can tell, as for root; a change
   * of the secret ends sessions in any case.
   */
  readonly changedAt: number
}

/** Finds accounts by access key, disabled ones too. */
export interface AccountSource {
  account(accessKeyId: string): Account | undefined
}

export interface UserAccountOptions {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly status: AccountStatus
  readonly policies: readonly Policy[]
  readonly changedAt: number
}

export function createUserAccount(options: UserAccountOptions): Account {
  const { accessKeyId, status, changedAt } = options
  const policies = Object.freeze([...options.policies])
  const principal: Principal = Object.freeze({ kind: 'user', name: accessKeyId, accessKeyId, policies })
  return Object.freeze({ status, changedAt, credential: createStoredCredential(principal, options.secretAccessKey) })
}
