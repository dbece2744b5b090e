import { type KmsError, kmsError } from '@kms/core'
import { unavailable } from '../transport/vault-caller.ts'
import type { VaultReply } from '../transport/vault-transport.ts'

/** `data` of an answer. */
export function dataOf({ body }: VaultReply): Readonly<Record<string, unknown>> {
  const { data } = body
  return typeof data === 'object' && data !== null ? (data as Readonly<Record<string, unknown>>) : {}
}

/**
 * Whether an answer says that there is nothing of that name. Vault then lists no error: with one, the mount or the namespace is
 * missing, and without a list it was not Vault who answered.
 */
export function isAbsent({ status, body, errors }: VaultReply): boolean {
  return status === 404 && Array.isArray(body['errors']) && errors.length === 0
}

/** The error for an answer nobody expected; `what` says what was asked, in public words. */
export function unexpected(place: string, what: string, reply: VaultReply): KmsError {
  if (reply.status === 403) {
    return kmsError('BackendDenied', { store: place, what, reason: 'the policy of its token does not allow that' })
  }
  if (reply.status === 404 && reply.errors.length > 0) {
    const reason = reply.errors.some((error) => error.startsWith('no handler for route'))
      ? 'no secrets engine is mounted there'
      : 'Vault knows nothing there; is the namespace right?'
    return kmsError('StoreUnwritable', { path: `${what} at ${place}`, reason })
  }
  return unavailable(place, `it answers ${reply.status} to: ${what}`)
}
