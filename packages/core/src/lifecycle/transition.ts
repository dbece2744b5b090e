/** State of the service, as a value. `Error` keeps the configuration; its reason is public. */
export type ServiceState =
  | { readonly kind: 'NotConfigured' }
  | { readonly kind: 'Configured' }
  | { readonly kind: 'Running' }
  | { readonly kind: 'Error'; readonly reason: string }

/**
 * What happens to the service. Calls ask for something; the other events report how an effect ended.
 * `equal` / `changed`: how the document of the call compares with the stored one. `wanted`: whether the service is meant to
 * run.
 */
export type ServiceEvent =
  | { readonly type: 'configure'; readonly equal: boolean }
  | { readonly type: 'start'; readonly force: boolean }
  | { readonly type: 'stop' }
  | { readonly type: 'reconfigure'; readonly changed: boolean }
  | { readonly type: 'rollback'; readonly changed: boolean; readonly wanted: boolean }
  | { readonly type: 'started' }
  | { readonly type: 'start-failed'; readonly reason: string }
  | { readonly type: 'stopped' }
  | { readonly type: 'configured' }
  | { readonly type: 'reconfigured' }

/**
 * What the manager does next.
 * `save`: store the document, then report `configured`. `open`: open the stored configuration, then report `started` or
 * `start-failed`. `swap`: open and prove a candidate beside what runs, then report `reconfigured` or nothing at all.
 * `close`: store that the service is meant to be stopped, drain, then report `stopped`.
 */
export type Effect = 'none' | 'save' | 'open' | 'swap' | 'close'

export type Transition =
  | { readonly ok: true; readonly state: ServiceState; readonly effect: Effect }
  | { readonly ok: false; readonly code: 'NoConfiguration' | 'AlreadyRunning' }

/**
 * The table of design §5 as a pure function. A call never changes the state by itself: it names the effect, and the
 * event that reports the effect's end does, so that a failed change leaves what was there.
 */
export function transition(state: ServiceState, event: ServiceEvent): Transition {
  const stay = (effect: Effect): Transition => ({ ok: true, state, effect })
  const become = (next: ServiceState): Transition => ({ ok: true, state: next, effect: 'none' })
  switch (event.type) {
    case 'configure':
      if (state.kind !== 'Running') return stay(event.equal && state.kind === 'Configured' ? 'none' : 'save')
      return event.equal ? stay('none') : { ok: false, code: 'AlreadyRunning' }
    case 'start':
      if (state.kind === 'NotConfigured') return { ok: false, code: 'NoConfiguration' }
      if (state.kind === 'Running') return stay(event.force ? 'swap' : 'none')
      return stay('open')
    case 'stop':
      return stay(state.kind === 'Running' || state.kind === 'Error' ? 'close' : 'none')
    case 'reconfigure':
      return stay(state.kind === 'Running' && !event.changed ? 'none' : 'swap')
    case 'rollback':
      if (state.kind === 'NotConfigured') return { ok: false, code: 'NoConfiguration' }
      if (!event.changed && state.kind !== 'Error') return stay('none')
      return stay(event.wanted ? 'swap' : 'save')
    case 'started':
    case 'reconfigured':
      return become({ kind: 'Running' })
    case 'start-failed':
      return become({ kind: 'Error', reason: event.reason })
    case 'configured':
    case 'stopped':
      return become({ kind: 'Configured' })
  }
}
