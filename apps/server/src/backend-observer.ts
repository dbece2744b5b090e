import { type BackendCall, type BackendObserver, isKmsError } from '@kms/core'
import type { Log } from './log/log.ts'
import type { Metrics } from './metrics/metrics.ts'
import type { Tracing } from './tracing/tracing.ts'

export interface BackendObserverOptions {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'backendOperation' | 'backendRequest'>
  readonly tracing: Tracing | undefined
}

/** Counts, times, traces and logs every operation on a key store. */
export function createBackendObserver({ log, metrics, tracing }: BackendObserverOptions): BackendObserver {
  /** Failures since a store last answered. */
  const failures = new Map<string, number>()

  function ended({ backend, realm, operation }: BackendCall, outcome: string, milliseconds: number): void {
    metrics.backendOperation(backend, operation, outcome, milliseconds)
    if (log.tells('backend_operation')) {
      log.event('backend_operation', { operation, outcome, duration_ms: rounded(milliseconds) }, { backend })
    }
    // Opening is a change of the service, which is told as such; closing happens to stores that are done.
    if (realm === undefined || operation === 'close') return
    const before = failures.get(realm) ?? 0
    if (TROUBLE.has(outcome)) {
      failures.set(realm, before + 1)
      if (before === 0) log.event('backend_failing', { operation, outcome }, { backend })
    } else if (before > 0) {
      failures.delete(realm)
      log.event('backend_recovered', { operation, failures: before }, { backend })
    }
  }

  return {
    around(call, work) {
      const startedAt = performance.now()
      const result = tracing === undefined ? work() : tracing.backend(call, work)
      result.then(
        () => ended(call, 'ok', performance.now() - startedAt),
        (error: unknown) => ended(call, outcomeOf(error), performance.now() - startedAt),
      )
      return result
    },

    peer: (backend) => ({
      headers: () => tracing?.headers() ?? {},
      attempted(request, outcome, milliseconds) {
        metrics.backendRequest(backend, request, outcome, milliseconds)
        if (log.tells('backend_request')) {
          log.event('backend_request', { request, outcome, duration_ms: rounded(milliseconds) }, { backend })
        }
      },
    }),
  }
}

function outcomeOf(error: unknown): string {
  return isKmsError(error) ? error.code : 'InternalError'
}

/** A store that says no is well; these say that it can't answer. */
const TROUBLE: ReadonlySet<string> = new Set([
  'BackendUnavailable',
  'BackendTimeout',
  'BackendDenied',
  'StorageFailed',
  'InternalError',
])

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}
