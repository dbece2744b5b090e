import type { AdminLogEntry } from '@kms/admin-api'
import { REDACTED, Secret } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { describeError } from './describe-error.ts'
import { logAdminEntry, logManagerEvent } from './event-log.ts'
import { createLog, type LogOptions } from './log.ts'

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = []
  const log = createLog({ level: 'info', format: 'json', ...options }, { write: (line) => lines.push(line) })
  return { lines, log, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

describe('the JSON log', () => {
  it('has time, level, target, event, message and the fields, one object a line', () => {
    const { log, lines, records } = capture()
    log.event('iam_file_kept', { reason: 'Something\nhappened.' })
    expect(lines[0]).toMatch(/^[^\n]*\n$/)
    expect(records()).toEqual([
      {
        level: 'error',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        target: 'rustfs::kms::iam',
        event: 'iam_file_kept',
        msg: 'KMS_IAM_FILE cannot be used; the users it had before stay.',
        reason: 'Something\nhappened.',
      },
    ])
  })

  it('says what the line has to say itself, and which backend it is about', () => {
    const { log, records } = capture()
    log.event('state_recovered', {}, { message: 'state.json was half-written.' })
    log.event('backend_failing', { operation: 'wrap', outcome: 'BackendTimeout' }, { backend: 'local' })
    expect(records()).toMatchObject([
      { level: 'warn', target: 'rustfs::kms::state', msg: 'state.json was half-written.' },
      { level: 'warn', target: 'rustfs::kms::backend::local', operation: 'wrap' },
    ])
  })

  it('keeps to its level', () => {
    const { log, records } = capture({ level: 'warn' })
    for (const event of ['request', 'stopped', 'close_cut_off', 'iam_file_kept'] as const) log.event(event)
    expect(records().map(({ event }) => event)).toEqual(['close_cut_off', 'iam_file_kept'])
    expect([log.tells('request'), log.tells('close_cut_off')]).toEqual([false, true])
    expect(capture({ level: 'debug' }).log.tells('request')).toBe(true)
    const silent = capture({ level: 'silent' })
    silent.log.event('iam_file_kept')
    expect(silent.lines).toEqual([])
  })

  it('does not show secrets, however they got into a line', () => {
    const { log, lines } = capture()
    const hidden = 'hidden-value'
    log.event(
      'kms_change_failed',
      { backend: { master_key: new Secret(hidden), auth: { secret_id: hidden } } },
      { message: `the peer said: X-Vault-Token hvs.${hidden}0123456789` },
    )
    log.event('request_failed', { error: describeError(Object.assign(new Error('x'), { cause: new Error(hidden) })) })
    expect(lines[0]).toContain(`"master_key":"${REDACTED}","auth":{"secret_id":"${REDACTED}"}`)
    expect(lines[0]).not.toContain(hidden)
    // A word that looks like no secret, in a field that may hold anything, is told: it is why nothing secret may go there.
    expect(lines[1]).toContain(hidden)
  })
})

it('the pretty log is one readable line, and passes no control characters on', () => {
  const { log, lines } = capture({ format: 'pretty' })
  log.event('listening', { address: '/a\u001b[31m\n/b', version: 2, tls: { a: [1] } }, { message: 'A message.' })
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}rustfs::kms::server A message\. /)
  expect(lines[0]).toContain(String.raw`address=/a\u001b[31m\u000a/b version=2 tls={"a":[1]}`)
  expect(lines[0]?.match(/\p{Cc}/gu)).toEqual(['\n'])
})

const answered: Extract<AdminLogEntry, { event: 'request' }> = {
  event: 'request',
  requestId: 'r',
  operation: 'getStatus',
  action: 'kms:ServiceControl',
  effect: 'read',
  method: 'GET',
  path: '/p',
  principal: 'admin',
  accessKeyId: 'admin',
  address: '127.0.0.1',
  keyId: undefined,
  status: 200,
  code: undefined,
  milliseconds: 1.23456,
}

describe('what is logged', () => {
  it.each([
    ['kms_reconfigured', 'info'],
    ['kms_started', 'info'],
    ['kms_warning', 'warn'],
  ] as const)('the event %s at %s, with who, what and the backend summary', (event, level) => {
    const { log, records } = capture()
    const backend = { backend_type: 'local', key_dir: '/k' }
    const caller = { principal: 'ann', address: '10.0.0.1', requestId: 'r' }
    const diff = [{ path: 'timeout_seconds', from: 30, to: 20 }]
    logManagerEvent(log, {
      event,
      message: 'm',
      revisionBefore: 1,
      revision: 2,
      caller,
      diff,
      milliseconds: 5,
      backend,
    })
    expect(records()).toMatchObject([
      {
        level,
        target: 'rustfs::kms::manager',
        msg: 'm',
        event,
        principal: 'ann',
        address: '10.0.0.1',
        request_id: 'r',
        revision_before: 1,
        revision: 2,
        diff,
        duration_ms: 5,
        backend,
      },
    ])
  })

  it('what happens to a key, and who did it', () => {
    const { log, records } = capture()
    const caller = { principal: 'ann', requestId: 'r' }
    logManagerEvent(log, { event: 'kms_key_rotated', message: 'm', caller, keyId: 'k', realm: 'aa' })
    logManagerEvent(log, { event: 'kms_key_destroyed', message: 'its time was over', keyId: 'k', realm: 'aa' })
    expect(records()).toMatchObject([
      { level: 'info', event: 'kms_key_rotated', principal: 'ann', request_id: 'r', key_id: 'k', realm: 'aa' },
      { level: 'warn', event: 'kms_key_destroyed', msg: 'its time was over', key_id: 'k' },
    ])
  })

  it('a change that failed, with what it would have been and why', () => {
    const { log, records } = capture()
    const failed = { event: 'kms_change_failed', message: 'm', attempted: 'kms_started', code: 'RealmMissing' } as const
    logManagerEvent(log, failed)
    expect(records()).toMatchObject([
      { level: 'warn', event: 'kms_change_failed', attempted: 'kms_started', code: 'RealmMissing' },
    ])
  })

  it.each<[string, Partial<typeof answered>, string[]]>([
    ['a request', {}, []],
    ['a use of a key', { effect: 'use', keyId: 'k' }, []],
    ['a change of users', { effect: 'change', action: 'admin:CreateUser' }, ['iam_changed']],
    [
      'a change of the service or of a key, which has an event of its own',
      { effect: 'change', action: 'kms:RotateKey' },
      [],
    ],
    ['a denial', { status: 403, code: 'AccessDenied' }, ['access_denied']],
    ['a signature that is wrong', { status: 403, code: 'SignatureDoesNotMatch', principal: undefined }, []],
    ['a change that failed', { effect: 'change', action: 'admin:CreateUser', status: 409, code: 'UserExists' }, []],
  ])('%s, at info', (_, entry, events) => {
    const { log, records } = capture()
    logAdminEntry(log, { ...answered, ...entry })
    expect(records().map(({ event }) => event)).toEqual(events)
  })

  it.each([
    [200, 'ok'],
    [403, 'denied'],
    [404, 'error'],
    [503, 'error'],
  ])('every request at debug; %i is %s', (status, outcome) => {
    const { log, records } = capture({ level: 'debug' })
    logAdminEntry(log, { ...answered, status, principal: undefined })
    expect(records()).toMatchObject([
      { level: 'debug', event: 'request', request_id: 'r', path: '/p', status, outcome, duration_ms: 1.235 },
    ])
  })

  it('failures with their cause', () => {
    const { log, records } = capture({ level: 'debug' })
    const error = new Error('outer', { cause: new Error('inner') })
    logAdminEntry(log, { event: 'failure', requestId: 'r', error })
    expect(records()).toMatchObject([
      {
        level: 'error',
        request_id: 'r',
        error: { message: 'outer', stack: expect.any(String), cause: { message: 'inner' } },
      },
    ])
  })

  it('what a wrong signature was compared with, at debug only', () => {
    const computed = { canonicalRequest: 'GET\n/', stringToSign: 'AWS4-HMAC-SHA256\n' }
    const entry = { event: 'signature', requestId: 'r', computed } as const
    const quiet = capture()
    logAdminEntry(quiet.log, entry)
    expect(quiet.records()).toEqual([])
    const { log, records } = capture({ level: 'debug' })
    logAdminEntry(log, entry)
    expect(records()).toMatchObject([
      { level: 'debug', request_id: 'r', canonical_request: 'GET\n/', string_to_sign: 'AWS4-HMAC-SHA256\n' },
    ])
  })

  it('errors in any shape, and chains without end', () => {
    expect(describeError('text')).toEqual({ type: 'string' })
    const loop = new Error('loop')
    loop.cause = loop
    expect(JSON.stringify(describeError(Object.assign(loop, { code: 'E' })))).toContain('"code":"E"')
  })
})
