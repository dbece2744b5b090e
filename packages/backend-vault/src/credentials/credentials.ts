import { type Clock, isKmsError, type KmsError, kmsError, timestamp } from '@kms/core'
import type { Operation, Operations } from '../transport/operation.ts'
import { unavailable, type VaultCaller } from '../transport/vault-caller.ts'
import type { CredentialSource } from './credential-source.ts'
import { type Lease, leaseOf } from './lease.ts'
import { TOKEN_LOOKUP } from './token-source.ts'

/** Keeps a good token at hand. */
export interface Credentials {
  /** Gets the first token. Throws as {@link CredentialSource.obtain}. */
  start(): Promise<void>
  /**
   * The token to send. Close to its expiry none is sent any more: this waits for a new one, and throws
   * `BackendUnavailable` when there is none to be had.
   */
  token(): Promise<string>
  /**
   * Told that `token` was refused. True: it is no longer good, and there is another one now. False: it is good, and may not
   * do what was asked. Throws `BackendUnavailable` when it is no longer good and there is no other.
   */
  replaced(operation: Operation, token: string): Promise<boolean>
  /** When the token expires, in milliseconds since the epoch, if it does. */
  expiresAt(): number | undefined
  /** Stops renewing; revokes the token if a login made it. */
  close(): Promise<void>
}

export interface CredentialsOptions {
  readonly source: CredentialSource
  readonly caller: VaultCaller
  /** For logins and renewals: they are nobody's operation, and everybody waits for them. */
  readonly upkeep: Operations
  /** For the revocation at the end, which must not take long. */
  readonly farewell: Operations
  readonly clock: Clock
  readonly place: string
  readonly timeoutSeconds: number
  readonly onWarning: (message: string) => void
}

/** Pause after a renewal or login that failed: short against the shortest useful TTL, and no burden. */
const RETRY_MS = 1000
/** How often a source that may change by itself is looked at. */
const WATCH_MS = 2000
/** A renewal that brings less than this share of the first TTL is the last one: the token nears its longest life. */
const LEAST_SHARE = 0.5

export function createCredentials(options: CredentialsOptions): Credentials {
  const { source, caller, upkeep, farewell, clock, place, timeoutSeconds, onWarning } = options
  let lease: Lease | undefined
  let obtainedAt = 0
  /** TTL of the token as it was first given out. */
  let fullTtlMs = 0
  let problem: KmsError | undefined
  let obtaining: Promise<void> | undefined
  let failedAt = Number.NEGATIVE_INFINITY
  let cancelRefresh: (() => void) | undefined
  let cancelWatch: (() => void) | undefined
  /**
   * Tokens may not look themselves up: then none can be told from a good one that may not do something, and logging in for
   * every refusal would make tokens without end.
   */
  let blind = false
  let closed = false

  function hold(next: Lease): void {
    lease = next
    problem = undefined
    schedule(Math.max(RETRY_MS / 2, (next.ttlMs ?? 0) / 2))
  }

  /** The next look at the token: at half of its life. */
  function schedule(ms: number): void {
    cancelRefresh?.()
    cancelRefresh = undefined
    if (closed || lease?.ttlMs === undefined) return
    cancelRefresh = clock.after(ms, () => void refresh())
  }

  async function refresh(): Promise<void> {
    try {
      if (await upkeep.run(renew)) return
      if (!source.ours) warnOfEnd()
      await obtain()
    } catch (error) {
      if (closed) return
      note(error)
      schedule(RETRY_MS)
    }
  }

  /** Asks for a longer life of the token; whether it got one that is worth having. */
  async function renew(operation: Operation): Promise<boolean> {
    if (lease === undefined || !lease.renewable) return false
    const { token } = lease
    const askedAt = clock.now()
    const call = { request: 'token-renew', method: 'POST', path: ['auth/token/renew-self'], body: {} } as const
    const { status, body } = await caller.call(operation, call, token)
    if (lease.token !== token) return true
    if (status !== 200) return false
    const auth = (body['auth'] ?? {}) as Readonly<Record<string, unknown>>
    const renewed = leaseOf(token, auth['lease_duration'], auth['renewable'], askedAt)
    hold(renewed)
    return renewed.ttlMs === undefined || renewed.ttlMs >= fullTtlMs * LEAST_SHARE
  }

  /** A token from the source; one attempt serves everyone who asks meanwhile. */
  function obtain(): Promise<void> {
    obtaining ??= (async () => {
      try {
        const next = await upkeep.run((operation) => source.obtain(operation))
        if (next.token !== lease?.token) {
          obtainedAt = clock.now()
          fullTtlMs = next.ttlMs ?? 0
        }
        hold(next)
      } catch (error) {
        failedAt = clock.now()
        throw error
      } finally {
        obtaining = undefined
      }
    })()
    return obtaining
  }

  function note(error: unknown): void {
    const failure = isKmsError(error) ? error : kmsError('InternalError', undefined, { cause: error })
    if (problem?.message !== failure.message) {
      onWarning(`The token for ${place} could not be renewed (${source.name}): ${failure.message}`)
    }
    problem = failure
  }

  /** Asks Vault about a token with the token itself. */
  async function isGood(operation: Operation, token: string): Promise<boolean> {
    return (await caller.call(operation, TOKEN_LOOKUP, token)).status === 200
  }

  let warnedOf: string | undefined
  function warnOfEnd(): void {
    if (lease?.expiresAt === undefined || warnedOf === lease.token) return
    warnedOf = lease.token
    const end = timestamp({ ...clock, now: () => lease?.expiresAt as number })
    onWarning(`The token for ${place} (${source.name}) cannot be renewed beyond ${end}. Supply another one.`)
  }

  /** The last part of a token's life in which it is no longer sent: what is under way must not outlive it. */
  function isUsable({ expiresAt, ttlMs }: Lease): boolean {
    if (expiresAt === undefined || ttlMs === undefined) return true
    return clock.now() < expiresAt - Math.min(timeoutSeconds * 1000, ttlMs / 4)
  }

  function watch(): void {
    if (source.changed === undefined) return
    cancelWatch = clock.after(WATCH_MS, () => {
      const look = async (): Promise<void> => {
        if (await source.changed?.()) await obtain()
      }
      look()
        .catch((error: unknown) => {
          if (!closed) note(error)
        })
        .finally(() => {
          if (!closed) watch()
        })
    })
  }

  /** Waits for another token, unless the last attempt has only just failed. */
  async function demand(): Promise<void> {
    if (obtaining === undefined && clock.now() < failedAt + RETRY_MS) return
    try {
      await obtain()
    } catch (error) {
      note(error)
    }
  }

  function none(): KmsError {
    return unavailable(place, `its token has expired or was revoked, and there is no other: ${problem?.message ?? ''}`)
  }

  return {
    async start() {
      await obtain()
      watch()
    },

    async token() {
      if (lease !== undefined && isUsable(lease)) return lease.token
      await demand()
      if (lease !== undefined && isUsable(lease)) return lease.token
      throw none()
    },

    async replaced(operation, token) {
      if (lease !== undefined && lease.token !== token) return true
      if (blind && clock.now() < obtainedAt + RETRY_MS) return false
      if (await isGood(operation, token)) return false
      await demand()
      if (lease !== undefined && lease.token !== token) {
        blind = source.ours && !(await isGood(operation, lease.token))
        return true
      }
      throw none()
    },

    expiresAt: () => lease?.expiresAt,

    async close() {
      closed = true
      cancelRefresh?.()
      cancelWatch?.()
      const last = lease
      if (last === undefined || !source.ours) return
      const call = { request: 'token-revoke', method: 'POST', path: ['auth/token/revoke-self'] } as const
      // Best effort: what is not revoked expires.
      await farewell.run((operation) => caller.call(operation, call, last.token)).catch(() => {})
    },
  }
}
