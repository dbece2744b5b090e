import { type KmsError, kmsError } from '@kms/core'
import { unavailable } from '../transport/vault-caller.ts'
import type { VaultReply } from '../transport/vault-transport.ts'

/** `data` of an answer. */
export function dataOf({ body }: VaultReply): Readonly<Record<string, unknown>> {
  const { data } = body
  return typeof data === 'object' && data !== null ? (data as Readonly<Record<string, unknown>>) : {}
}

/** Whether an answer says that nothing is mounted where it was asked. */
export function isMountMissing({ status, errors }: VaultReply): boolean {
  return status === 404 && errors.some((error) => error.startsWith('no handler for route'))
}

/** The error for an answer nobody expected; `what` says what was asked, in public words. */
export function unexpected(place: string, what: string, reply: VaultReply): KmsError {
  if (reply.status === 403) {
    return kmsError('BackendDenied', { store: place, what, reason: 'the policy of its token does not allow that' })
  }
  if (isMountMissing(reply)) {
    return kmsError('StoreUnwritable', { path: `${place}, ${what}`, reason: 'no secrets engine is mounted there' })
  }
  return unavailable(place, `it answers ${reply.status} to: ${what}`)
}
