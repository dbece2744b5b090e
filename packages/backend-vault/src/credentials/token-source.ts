import { type Clock, kmsError, type Secret } from '@kms/core'
import type { Operation } from '../transport/operation.ts'
import type { VaultCaller } from '../transport/vault-caller.ts'
import type { VaultCall } from '../transport/vault-transport.ts'
import type { CredentialSource } from './credential-source.ts'
import { type Lease, leaseFromLookup } from './lease.ts'

/** Asks about the token it is sent with. */
export const TOKEN_LOOKUP: VaultCall = { request: 'token-lookup', method: 'GET', path: ['auth/token/lookup-self'] }

export interface TokenSourceOptions {
  readonly caller: VaultCaller
  readonly clock: Clock
  readonly place: string
}

/** A token the operator supplies: looked up, renewed, never revoked. */
export function tokenSource(token: Secret, options: TokenSourceOptions): CredentialSource {
  return {
    name: 'token',
    ours: false,
    field: 'auth_method.token.token',
    obtain: (operation) => lookUp(operation, token.reveal(), 'auth_method.token.token', options),
  }
}

/** A token in a file that somebody else, an agent perhaps, keeps good; looked at again and again. */
export function tokenFileSource(read: () => Promise<string>, options: TokenSourceOptions): CredentialSource {
  let last: string | undefined
  return {
    name: 'token_file',
    ours: false,
    field: 'auth_method.token_file.path',
    async obtain(operation) {
      const token = (await read()).trim()
      const lease = await lookUp(operation, token, 'auth_method.token_file.path', options)
      last = token
      return lease
    },
    async changed() {
      const token = await read().then(
        (text) => text.trim(),
        () => last,
      )
      return token !== last
    },
  }
}

async function lookUp(
  operation: Operation,
  token: string,
  field: string,
  { caller, clock, place }: TokenSourceOptions,
): Promise<Lease> {
  const askedAt = clock.now()
  const { status, body } = await caller.call(operation, TOKEN_LOOKUP, token)
  if (status !== 200) {
    const reason = 'the token is expired, revoked or unknown there, or may not look itself up (policy "default")'
    throw kmsError('CredentialsRefused', { path: field, store: place, reason })
  }
  return leaseFromLookup(token, (body['data'] ?? {}) as Readonly<Record<string, unknown>>, askedAt)
}
