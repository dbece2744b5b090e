import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Effect, type ServiceEvent, type ServiceState, transition } from './transition.ts'

const states: Record<string, ServiceState> = {
  NotConfigured: { kind: 'NotConfigured' },
  Configured: { kind: 'Configured' },
  Running: { kind: 'Running' },
  Error: { kind: 'Error', reason: 'the reason' },
}

const calls: Record<string, ServiceEvent> = {
  'configure (other)': { type: 'configure', equal: false },
  'configure (equal)': { type: 'configure', equal: true },
  start: { type: 'start', force: false },
  'start (force)': { type: 'start', force: true },
  stop: { type: 'stop' },
  'reconfigure (changed)': { type: 'reconfigure', changed: true },
  'reconfigure (no-op)': { type: 'reconfigure', changed: false },
}

describe('every call in every state', () => {
  it.each<[string, string, Effect | 'NoConfiguration' | 'AlreadyRunning']>([
    ['configure (other)', 'NotConfigured', 'save'],
    ['configure (other)', 'Configured', 'save'],
    ['configure (other)', 'Running', 'AlreadyRunning'],
    ['configure (other)', 'Error', 'save'],
    ['configure (equal)', 'NotConfigured', 'save'],
    ['configure (equal)', 'Configured', 'none'],
    ['configure (equal)', 'Running', 'none'],
    ['configure (equal)', 'Error', 'save'],
    ['start', 'NotConfigured', 'NoConfiguration'],
    ['start', 'Configured', 'open'],
    ['start', 'Running', 'none'],
    ['start', 'Error', 'open'],
    ['start (force)', 'NotConfigured', 'NoConfiguration'],
    ['start (force)', 'Configured', 'open'],
    ['start (force)', 'Running', 'swap'],
    ['start (force)', 'Error', 'open'],
    ['stop', 'NotConfigured', 'none'],
    ['stop', 'Configured', 'none'],
    ['stop', 'Running', 'close'],
    ['stop', 'Error', 'close'],
    ['reconfigure (changed)', 'NotConfigured', 'swap'],
    ['reconfigure (changed)', 'Configured', 'swap'],
    ['reconfigure (changed)', 'Running', 'swap'],
    ['reconfigure (changed)', 'Error', 'swap'],
    ['reconfigure (no-op)', 'NotConfigured', 'swap'],
    ['reconfigure (no-op)', 'Configured', 'swap'],
    ['reconfigure (no-op)', 'Running', 'none'],
    ['reconfigure (no-op)', 'Error', 'swap'],
  ])('%s in %s: %s', (call, from, expected) => {
    const state = states[from] as ServiceState
    const result = transition(state, calls[call] as ServiceEvent)
    if (expected === 'NoConfiguration' || expected === 'AlreadyRunning') {
      expect(result).toEqual({ ok: false, code: expected })
    } else {
      expect(result).toEqual({ ok: true, state, effect: expected })
    }
  })
})

describe('random call sequences', () => {
  const call = fc.constantFrom(...Object.values(calls))
  const step = fc.record({ call, succeeds: fc.boolean() })

  /** The service as a reader of the playbook would model it. */
  interface Model {
    configured: boolean
    running: boolean
    broken: boolean
  }

  it('follow the model, whatever effects succeed or fail', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const model: Model = { configured: false, running: false, broken: false }
        let state: ServiceState = { kind: 'NotConfigured' }
        for (const { call: event, succeeds } of steps) {
          const result = transition(state, event)
          if (!result.ok) {
            expect(event.type === 'start' ? !model.configured : model.running).toBe(true)
            continue
          }
          expect(result.state).toEqual(state)
          const end = endOf(result.effect, succeeds)
          if (end !== undefined) {
            const ended = transition(state, end)
            if (!ended.ok) throw new Error('the end of an effect is never refused')
            expect(ended.effect).toBe('none')
            state = ended.state
          }
          follow(model, event, succeeds)
          expect(state.kind).toBe(
            model.running ? 'Running' : model.broken ? 'Error' : model.configured ? 'Configured' : 'NotConfigured',
          )
        }
      }),
      { numRuns: 500 },
    )
  })

  /** What the manager reports when an effect ends; a failed `save`, `swap` or `close` reports nothing. */
  function endOf(effect: Effect, succeeds: boolean): ServiceEvent | undefined {
    switch (effect) {
      case 'none':
        return undefined
      case 'save':
        return succeeds ? { type: 'configured' } : undefined
      case 'open':
        return succeeds ? { type: 'started' } : { type: 'start-failed', reason: 'r' }
      case 'swap':
        return succeeds ? { type: 'reconfigured' } : undefined
      case 'close':
        return succeeds ? { type: 'stopped' } : undefined
    }
  }

  function follow(model: Model, event: ServiceEvent, succeeds: boolean): void {
    switch (event.type) {
      case 'configure':
        if (succeeds && !model.running) Object.assign(model, { configured: true, broken: false })
        break
      case 'start':
        if (!model.running) Object.assign(model, { running: succeeds, broken: !succeeds })
        break
      case 'stop':
        if (succeeds) Object.assign(model, { running: false, broken: false })
        break
      case 'reconfigure':
        if (succeeds) Object.assign(model, { configured: true, running: true, broken: false })
        break
      default:
    }
  }
})
