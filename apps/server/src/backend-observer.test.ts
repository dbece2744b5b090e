import { type BackendCall, kmsError } from '@kms/core'
import { expect, it } from 'vitest'
import { createBackendObserver } from './backend-observer.ts'
import { createLog } from './log/log.ts'

const call: BackendCall = { backend: 'local', realm: 'aa'.repeat(16), operation: 'wrap' }
const settled = () => new Promise((resolve) => setImmediate(resolve))

function setUp(level: 'info' | 'debug' = 'info') {
  const lines: string[] = []
  const counted: unknown[][] = []
  const observer = createBackendObserver({
    log: createLog({ level, format: 'json' }, { write: (line) => lines.push(line) }),
    metrics: {
      backendOperation: (...counts) => counted.push(counts),
      backendRequest: (...counts) => counted.push(counts),
    },
    tracing: undefined,
  })
  const records = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { observer, counted, records }
}

const down = kmsError('BackendUnavailable', { store: 'a', reason: 'it is down' })

it('counts every operation with its outcome, and passes results and errors on', async () => {
  const { observer, counted } = setUp()
  expect(await observer.around(call, async () => 'result')).toBe('result')
  await expect(observer.around(call, () => Promise.reject(down))).rejects.toBe(down)
  await expect(observer.around(call, () => Promise.reject(new TypeError('x')))).rejects.toThrow('x')
  await settled()
  expect(counted).toEqual([
    ['local', 'wrap', 'ok', expect.any(Number)],
    ['local', 'wrap', 'BackendUnavailable', expect.any(Number)],
    ['local', 'wrap', 'InternalError', expect.any(Number)],
  ])
})

it('tells of trouble once, and of its end', async () => {
  const { observer, records } = setUp()
  const fail = () => observer.around(call, () => Promise.reject(down)).catch(() => {})
  for (let i = 0; i < 3; i++) await fail()
  // A no is an answer.
  const refused = kmsError('KeyNotFound', { key: 'k' })
  await settled()
  expect(records().map(({ event }) => event)).toEqual(['backend_failing'])
  await observer.around(call, () => Promise.reject(refused)).catch(() => {})
  await observer.around(call, async () => {})
  await fail()
  await settled()
  expect(records()).toMatchObject([
    { event: 'backend_failing', level: 'warn', target: 'rustfs::kms::backend::local', outcome: 'BackendUnavailable' },
    { event: 'backend_recovered', level: 'info', failures: 3 },
    { event: 'backend_failing' },
  ])
})

it('a store that fails is told apart from another; opening and closing are no trouble of a store', async () => {
  const { observer, records } = setUp()
  const other = { ...call, realm: 'bb'.repeat(16) }
  for (const each of [
    call,
    other,
    { backend: 'local', operation: 'open' } as const,
    { ...call, operation: 'close' } as const,
  ]) {
    await observer.around(each, () => Promise.reject(down)).catch(() => {})
  }
  await settled()
  expect(records().map(({ event }) => event)).toEqual(['backend_failing', 'backend_failing'])
})

it('at debug every operation and every request to a peer has a line', async () => {
  const { observer, counted, records } = setUp('debug')
  const peer = observer.peer('vault')
  peer.attempted('encrypt', 'BackendTimeout', 1.23456)
  expect(peer.headers()).toEqual({})
  await observer.around(call, async () => {})
  await settled()
  expect(counted).toContainEqual(['vault', 'encrypt', 'BackendTimeout', 1.23456])
  expect(records()).toMatchObject([
    {
      event: 'backend_request',
      target: 'rustfs::kms::backend::vault',
      request: 'encrypt',
      outcome: 'BackendTimeout',
      duration_ms: 1.235,
    },
    { event: 'backend_operation', target: 'rustfs::kms::backend::local', operation: 'wrap', outcome: 'ok' },
  ])
})
