import { kmsError } from '../errors/kms-error.ts'
import type { WireStatus } from '../manager/manager-types.ts'
import { type Effect, type ServiceEvent, type ServiceState, transition } from './transition.ts'

/** The state of the service and the last thing that went wrong: what `status()` shows without asking anybody. */
export interface ServiceStatus {
  readonly state: ServiceState
  readonly wire: WireStatus
  /** Public text; cleared by the change that mends it. */
  lastError: string | undefined
  /** Follows an event and names the effect it asks for. Throws `NoConfiguration`, `AlreadyRunning`. */
  apply(event: ServiceEvent): Effect
}

export function createServiceStatus(): ServiceStatus {
  let state: ServiceState = { kind: 'NotConfigured' }
  return {
    lastError: undefined,
    get state() {
      return state
    },
    get wire() {
      return state.kind === 'Error' ? { Error: state.reason } : state.kind
    },
    apply(event) {
      const result = transition(state, event)
      if (!result.ok) throw kmsError(result.code)
      state = result.state
      return result.effect
    },
  }
}
