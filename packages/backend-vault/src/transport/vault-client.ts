import { kmsError } from '@kms/core'
import type { Credentials } from '../credentials/credentials.ts'
import type { Breaker } from './breaker.ts'
import type { Bulkhead } from './bulkhead.ts'
import type { Operation } from './operation.ts'
import type { VaultCaller } from './vault-caller.ts'
import type { VaultCall, VaultReply } from './vault-transport.ts'

/** Calls Vault with the credentials of the configuration. */
export interface VaultClient {
  /** Where the store is, for messages. */
  readonly place: string
  /** Before the first call of an operation. Throws `BackendUnavailable` while the server is known not to answer. */
  admit(): void
  /**
   * The answer: 2xx, 400, 404, or a 403 with a token that is valid: it may not do this. Throws `BackendUnavailable`,
   * `BackendTimeout`, `BackendDenied`.
   */
  request(operation: Operation, call: VaultCall): Promise<VaultReply>
}

export interface VaultClientOptions {
  readonly place: string
  readonly caller: VaultCaller
  readonly credentials: Credentials
  readonly breaker: Breaker
  readonly bulkhead: Bulkhead
}

export function createVaultClient({ place, caller, credentials, breaker, bulkhead }: VaultClientOptions): VaultClient {
  return {
    place,

    admit() {
      if (breaker.admit()) return
      const seconds = Math.max(1, Math.ceil(breaker.waitMs / 1000))
      const reason = `${breaker.reason}, for the last requests; it is asked again shortly`
      throw kmsError('BackendUnavailable', { store: place, reason }, { retryAfterSeconds: seconds })
    },

    async request(operation, call) {
      return bulkhead.run(operation, async () => {
        const token = await credentials.token()
        const first = await caller.call(operation, call, token)
        // Refused before anything was done, so even what takes effect each time may be sent again with another token.
        if (first.status !== 403 || !(await credentials.replaced(operation, token))) return first
        return caller.call(operation, call, await credentials.token())
      })
    },
  }
}
