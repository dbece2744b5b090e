import { type Clock, isKmsError, type KmsError, kmsError, type PeerTelemetry } from '@kms/core'
import type { Breaker } from './breaker.ts'
import type { Operation } from './operation.ts'
import { readNotServing } from './serving-state.ts'
import { isTransportFailure } from './transport-failure.ts'
import type { VaultCall, VaultReply, VaultTransport } from './vault-transport.ts'

/** Calls with retries, within an operation. */
export interface VaultCaller {
  /**
   * The answer to a call: 2xx, or a 4xx that is about the request itself. What is idempotent, or was not seen by the server,
   * is tried again. Throws `BackendUnavailable`, `BackendTimeout`.
   */
  call(operation: Operation, call: VaultCall, token?: string): Promise<VaultReply>
}

export interface VaultCallerOptions {
  readonly transport: VaultTransport
  readonly breaker: Breaker
  readonly backoff: (retry: number) => number
  readonly retryAttempts: number
  readonly timeoutMs: number
  readonly clock: Clock
  readonly peer: PeerTelemetry | undefined
  readonly place: string
}

/** Why an attempt was no answer. */
interface Miss {
  readonly reason: string
  readonly mayRetry: boolean
  readonly afterMs: number
  readonly elsewhere: boolean
}

export function createVaultCaller(options: VaultCallerOptions): VaultCaller {
  const { transport, breaker, backoff, retryAttempts, timeoutMs, clock, peer, place } = options
  let rotations = 0
  // One attempt that gets no answer must leave room for the next, but a slow server is given its time.
  const attemptMs = Math.max(1000, timeoutMs / (retryAttempts + 1))

  async function attempt(operation: Operation, call: VaultCall, token?: string): Promise<VaultReply | Miss> {
    const ms = call.once ? Number.POSITIVE_INFINITY : attemptMs
    const startedAt = clock.now()
    const tell = (outcome: string): void => peer?.attempted(call.request, outcome, clock.now() - startedAt)
    try {
      const reply = await operation.attempt(ms, (signal) => transport.send(call, { token, signal }))
      const problem = readNotServing(reply)
      if (problem === undefined) {
        breaker.succeeded()
        tell(reply.status === 403 ? 'BackendDenied' : 'ok')
        return reply
      }
      tell('BackendUnavailable')
      const { reason, untouched, elsewhere } = problem
      // A limited rate is an answer of a server at work.
      if (reply.status === 429) breaker.succeeded()
      else breaker.failed(reason)
      return { reason, elsewhere, mayRetry: untouched || !call.once, afterMs: reply.retryAfterMs ?? 0 }
    } catch (error) {
      tell(isKmsError(error) ? error.code : 'BackendUnavailable')
      if (!isTransportFailure(error)) {
        if (isKmsError(error, 'BackendTimeout')) breaker.failed('it does not answer in time')
        throw error
      }
      const { reason, passing, reached } = error
      breaker.failed(reason)
      return { reason, elsewhere: true, mayRetry: passing && !(reached && call.once), afterMs: 0 }
    }
  }

  return {
    async call(operation, call, token) {
      for (let retry = 0; ; retry++) {
        const before = rotations
        const outcome = await attempt(operation, call, token)
        if ('status' in outcome) return outcome
        // Of many requests that fail on one node, the first turns away from it.
        if (outcome.elsewhere && rotations === before) {
          rotations += 1
          transport.rotate()
        }
        const pause = Math.max(backoff(retry), outcome.afterMs)
        if (!outcome.mayRetry || retry === retryAttempts || pause >= operation.remaining()) {
          throw unavailable(place, outcome.reason)
        }
        await operation.sleep(pause)
      }
    },
  }
}

/** Why the store cannot be reached, for the caller. */
export function unavailable(place: string, reason: string): KmsError {
  return kmsError('BackendUnavailable', { store: place, reason }, { retryAfterSeconds: 5 })
}
