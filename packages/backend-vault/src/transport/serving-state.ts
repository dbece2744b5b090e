import type { VaultReply } from './vault-transport.ts'

/** Why a node cannot serve a request that another node, or the same one later, can. */
export interface NotServing {
  /** Public; completes "cannot be reached: …". */
  readonly reason: string
  /** Whether the node refused before it looked at the request. */
  readonly untouched: boolean
  /** Whether another node is worth asking. */
  readonly elsewhere: boolean
}

/**
 * Reads the statuses with which Vault says that it cannot serve (HTTP API, "Status codes" and `sys/health`); `undefined`
 * for an answer to the request itself.
 */
export function readNotServing(reply: VaultReply): NotServing | undefined {
  const { status, errors, body } = reply
  const says = (pattern: RegExp): boolean => errors.some((error) => pattern.test(error))
  switch (status) {
    case 412:
      return { reason: 'the node asked has not seen the last write yet (412)', untouched: true, elsewhere: true }
    case 429:
      return {
        reason: 'it limits the rate of requests, or its node is a standby (429)',
        untouched: true,
        elsewhere: false,
      }
    case 472:
      return {
        reason: 'it is a secondary for disaster recovery, which serves nothing (472)',
        untouched: true,
        elsewhere: true,
      }
    case 473:
      return {
        reason: 'it is a performance standby that cannot forward the request (473)',
        untouched: true,
        elsewhere: true,
      }
    case 501:
      return { reason: 'it is not initialised (501)', untouched: true, elsewhere: true }
    case 503:
      if (says(/sealed/i) || body['sealed'] === true)
        return { reason: 'it is sealed (503)', untouched: true, elsewhere: true }
      return { reason: 'it is unavailable (503)', untouched: false, elsewhere: true }
    case 500:
      // A standby between two leaders.
      if (says(/node not active|active cluster node not found/i)) {
        return { reason: 'it has no active node at the moment (500)', untouched: true, elsewhere: true }
      }
      return { reason: 'it had an internal error (500)', untouched: false, elsewhere: false }
    case 502:
    case 504:
      return { reason: `what stands before it gets no answer (${status})`, untouched: false, elsewhere: true }
    case 400:
      // KV v2, for a moment after it was mounted.
      if (says(/Upgrading from non-versioned to versioned/)) {
        return { reason: 'its KV mount is being upgraded', untouched: true, elsewhere: false }
      }
      break
    default:
  }
  if (isVaults(reply)) return undefined
  return { reason: `it answers ${status}, and not as Vault does`, untouched: false, elsewhere: true }
}

/** Refusals of Vault's have a list of errors, or results; what stands before it may refuse in the same words of HTTP. */
function isVaults({ status, body }: VaultReply): boolean {
  if (status >= 200 && status < 300) return true
  return status >= 400 && status < 500 && (Array.isArray(body['errors']) || body['data'] !== undefined)
}
