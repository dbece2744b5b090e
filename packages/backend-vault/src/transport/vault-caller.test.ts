import { createManualClock, type ManualClock } from '@kms/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { createBreaker } from './breaker.ts'
import { createOperations } from './operation.ts'
import { transportFailure } from './transport-failure.ts'
import { createVaultCaller } from './vault-caller.ts'
import type { VaultCall, VaultReply } from './vault-transport.ts'

type Step = Partial<VaultReply> | Error | 'silence'

const READ: VaultCall = { request: 'kv-read', method: 'GET', path: ['secret', 'data', 'a'] }
const ROTATE: VaultCall = {
  request: 'key-rotate',
  method: 'POST',
  path: ['transit', 'keys', 'a', 'rotate'],
  once: true,
}
const reset = transportFailure('the connection was reset', { reached: true })
const refused = transportFailure('the connection was refused', { reached: false })
const untrusted = transportFailure('its certificate is not signed …', { reached: false, passing: false })

describe('createVaultCaller', () => {
  let clock: ManualClock
  beforeEach(() => {
    clock = createManualClock(0)
  })

  /** Calls with these answers, one after the other; time passes as it must. */
  async function outcome(call: VaultCall, steps: readonly Step[], retryAttempts = 3) {
    const told: string[] = []
    let sent = 0
    let rotations = 0
    const caller = createVaultCaller({
      transport: {
        async send(_, { signal }) {
          const step = steps[sent++] ?? expect.fail('it was sent too often')
          if (step instanceof Error) throw step
          if (step !== 'silence') return { status: 200, body: {}, errors: [], ...step }
          await new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => resolve())
          })
          throw transportFailure('it did not answer in time', { reached: true })
        },
        rotate: () => void (rotations += 1),
        close() {},
      },
      breaker: createBreaker(clock),
      backoff: (retry) => 100 * (retry + 1),
      retryAttempts,
      timeoutMs: 12_000,
      clock,
      peer: { headers: () => ({}), attempted: (request, result) => void told.push(`${request} ${result}`) },
      place: 'https://v',
    })
    const operations = createOperations({ clock, timeoutSeconds: 12, place: 'https://v' })
    const ended = new AbortController()
    const running = operations
      .run((operation) => caller.call(operation, call, 'token'))
      .then(
        ({ status }) => status as number | string,
        (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
      )
      .finally(() => {
        ended.abort()
      })
    for (let i = 0; i < 2000 && !ended.signal.aborted; i++) {
      for (let tick = 0; tick < 20; tick++) await Promise.resolve()
      if (!ended.signal.aborted) clock.advance(10)
    }
    return { result: await running, sent, rotations, told, milliseconds: clock.now() }
  }

  it.each<[string, readonly Step[]]>([
    ['an answer', [{ status: 200 }]],
    ['no content', [{ status: 204 }]],
    ['a refusal', [{ status: 400, body: { errors: [] } }]],
    ['a denial', [{ status: 403, body: { errors: ['x'] }, errors: ['x'] }]],
    ['an absence', [{ status: 404, body: { errors: [] } }]],
    ['results of a batch', [{ status: 400, body: { data: { batch_results: [] } } }]],
  ])('returns %s at once', async (_, steps) => {
    for (const call of [READ, ROTATE]) {
      expect(await outcome(call, steps)).toMatchObject({
        result: steps[0]?.['status' as never],
        sent: 1,
        milliseconds: 0,
      })
    }
  })

  it.each<[string, Step]>([
    ['a reset', reset],
    ['a refused connection', refused],
    ['an internal error', { status: 500 }],
    ['a gateway', { status: 502 }],
    ['a busy server', { status: 503 }],
    ['a sealed one', { status: 503, errors: ['Vault is sealed'] }],
    ['a limit', { status: 429 }],
    ['a late node', { status: 412 }],
    ['no leader', { status: 500, errors: ['local node not active but active cluster node not found'] }],
    ['a mount that is being upgraded', { status: 400, errors: ['Upgrading from non-versioned to versioned data.'] }],
    ['a page of a proxy', { status: 404 }],
  ])('asks again after %s what is idempotent', async (_, step) => {
    expect(await outcome(READ, [step, step, {}])).toMatchObject({ result: 200, sent: 3, milliseconds: 300 })
    expect(await outcome(READ, [step, step], 1)).toMatchObject({
      result: expect.stringMatching(/^BackendUnavailable: The key store https:\/\/v cannot be reached/),
      sent: 2,
    })
    expect(await outcome(READ, [step], 0)).toMatchObject({ sent: 1 })
  })

  it.each<[string, Step]>([
    ['a refused connection', refused],
    ['a sealed server', { status: 503, errors: ['Vault is sealed'] }],
    ['a limit', { status: 429 }],
    ['a late node', { status: 412 }],
    ['a server that is not initialised', { status: 501 }],
    ['no leader', { status: 500, errors: ['local node not active'] }],
  ])('asks again after %s what takes effect each time, since it had none', async (_, step) => {
    expect(await outcome(ROTATE, [step, {}])).toMatchObject({ result: 200, sent: 2 })
  })

  it.each<[string, Step]>([
    ['a reset', reset],
    ['an internal error', { status: 500 }],
    ['a gateway', { status: 502 }],
    ['a busy server', { status: 503 }],
    ['a page of a proxy', { status: 403 }],
  ])('does not ask again after %s what takes effect each time', async (_, step) => {
    expect(await outcome(ROTATE, [step])).toMatchObject({
      result: expect.stringContaining('BackendUnavailable'),
      sent: 1,
    })
  })

  it('does not ask again where it can only get the same answer', async () => {
    expect(await outcome(READ, [untrusted])).toMatchObject({ result: expect.stringContaining('certificate'), sent: 1 })
  })

  it('cuts silence into attempts that leave room for the next', async () => {
    const found = await outcome(READ, ['silence', {}])
    expect(found).toMatchObject({ result: 200, sent: 2 })
    expect(found.milliseconds).toBe(3000 + 100)
    expect(await outcome(READ, ['silence', 'silence', 'silence', 'silence'])).toMatchObject({
      result: expect.stringContaining('BackendTimeout'),
    })
  })

  it('gives what takes effect each time all of the time', async () => {
    const found = await outcome(ROTATE, ['silence'])
    expect(found).toMatchObject({ result: expect.stringContaining('BackendTimeout'), sent: 1, milliseconds: 12_000 })
  })

  it('waits as long as it is told to, unless there is no time left', async () => {
    const found = await outcome(READ, [{ status: 429, retryAfterMs: 2000 }, {}])
    expect(found).toMatchObject({ result: 200, milliseconds: 2000 })
    expect(await outcome(READ, [{ status: 429, retryAfterMs: 20_000 }])).toMatchObject({
      result: expect.stringContaining('(429)'),
      sent: 1,
      milliseconds: 2000,
    })
  })

  it('turns to another node where this one cannot serve', async () => {
    expect(await outcome(READ, [reset, { status: 503 }, {}])).toMatchObject({ result: 200, rotations: 2 })
    expect(await outcome(READ, [{ status: 429 }, {}])).toMatchObject({ result: 200, rotations: 0 })
  })

  it('tells of every attempt, in fixed words', async () => {
    const { told } = await outcome(READ, [reset, 'silence', { status: 503 }, { status: 403, body: { errors: [] } }])
    expect(told).toEqual([
      'kv-read BackendUnavailable',
      'kv-read BackendUnavailable',
      'kv-read BackendUnavailable',
      'kv-read BackendDenied',
    ])
    expect((await outcome(READ, [{}])).told).toEqual(['kv-read ok'])
  })
})
