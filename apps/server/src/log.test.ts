import { Secret } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { describeError } from './describe-error.ts'
import { logAdminEntry, logManagerEvent } from './event-log.ts'
import { createLog, type LogOptions } from './log.ts'

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = []
  const logFor = createLog({ level: 'info', format: 'json', ...options }, { write: (line) => lines.push(line) })
  return { lines, log: logFor('part'), records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

describe('the JSON log', () => {
  it('has time, level, target, message and the fields, one object a line', () => {
    const { log, lines, records } = capture()
    log.warn('Something\nhappened.', { event: 'x', revision: 3 })
    expect(lines[0]).toMatch(/^[^\n]*\n$/)
    expect(records()).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        target: 'rustfs::kms::part',
        msg: 'Something\nhappened.',
        event: 'x',
        revision: 3,
      },
    ])
  })

  it('keeps to its level', () => {
    const { log, records } = capture({ level: 'warn' })
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level)
    expect(records().map(({ msg }) => msg)).toEqual(['warn', 'error'])
    expect(log.debugEnabled).toBe(false)
    expect(capture({ level: 'debug' }).log.debugEnabled).toBe(true)
    const silent = capture({ level: 'silent' })
    silent.log.error('x')
    expect(silent.lines).toEqual([])
  })

  it('does not show secrets', () => {
    const { log, lines } = capture()
    log.info('x', { config: { master_key: new Secret('hidden-value') } })
    expect(lines[0]).toContain('"master_key":"***"')
    expect(lines[0]).not.toContain('hidden-value')
  })
})

it('the pretty log is one readable line, and passes no control characters on', () => {
  const { log, lines } = capture({ format: 'pretty' })
  log.info('A message.', { path: '/a\u001b[31m\n/b', count: 2, nested: { a: [1] } })
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}rustfs::kms::part A message\. /)
  expect(lines[0]).toContain(String.raw`path=/a\u001b[31m\u000a/b count=2 nested={"a":[1]}`)
  expect(lines[0]?.match(/\p{Cc}/gu)).toEqual(['\n'])
})

describe('what is logged', () => {
  it.each([
    ['kms_reconfigured', 'info'],
    ['kms_started', 'info'],
    ['kms_change_failed', 'warn'],
    ['kms_warning', 'warn'],
  ] as const)('the event %s at %s, with the backend summary', (event, level) => {
    const { log, records } = capture()
    logManagerEvent(log, { event, message: 'm', revision: 2, backend: { backend_type: 'local', key_dir: '/k' } })
    expect(records()).toMatchObject([
      { level, msg: 'm', event, revision: 2, backend: { backend_type: 'local', key_dir: '/k' } },
    ])
  })

  it('requests at debug only, failures with their cause', () => {
    const entry = {
      event: 'request',
      requestId: 'r',
      operation: 'getStatus',
      method: 'GET',
      path: '/p',
      principal: 'admin',
      accessKeyId: 'admin',
      address: '127.0.0.1',
      keyId: undefined,
      status: 200,
      code: undefined,
      milliseconds: 1,
    } as const
    const quiet = capture()
    logAdminEntry(quiet.log, entry)
    expect(quiet.lines).toEqual([])
    const chatty = capture({ level: 'debug' })
    logAdminEntry(chatty.log, entry)
    expect(chatty.records()).toMatchObject([{ level: 'debug', requestId: 'r', path: '/p', status: 200 }])
    logAdminEntry(quiet.log, {
      event: 'failure',
      requestId: 'r',
      error: new Error('outer', { cause: new Error('inner') }),
    })
    expect(quiet.records()).toMatchObject([
      {
        level: 'error',
        requestId: 'r',
        error: { message: 'outer', stack: expect.any(String), cause: { message: 'inner' } },
      },
    ])
  })

  it('errors in any shape, and chains without end', () => {
    expect(describeError('text')).toEqual({ type: 'string' })
    const loop = new Error('loop')
    loop.cause = loop
    expect(JSON.stringify(describeError(Object.assign(loop, { code: 'E' })))).toContain('"code":"E"')
  })
})
