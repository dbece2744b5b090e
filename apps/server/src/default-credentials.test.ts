import { describe, expect, it } from 'vitest'
import { checkDefaultCredentials, isLoopback, refuseDefaultCredentials } from './default-credentials.ts'
import { readCommand } from './settings.ts'

const HOST = ['Host', 'localhost:9000']

describe('on a request the default credentials', () => {
  it.each<[string, string[]]>([
    ['localhost', ['Host', 'localhost']],
    ['localhost and a port', ['host', 'LOCALHOST:9000']],
    ['127.0.0.1', ['Host', '127.0.0.1:9000']],
    ['::1', ['Host', '[::1]:9000']],
    ['a page typed in by hand', [...HOST, 'Sec-Fetch-Site', 'none']],
    ['a page of this server', [...HOST, 'sec-fetch-site', 'same-origin']],
    [
      'other headers',
      [...HOST, 'X-Amz-Date', '20240101T000000Z', 'Accept', 'application/xml', 'Referer', 'http://evil/'],
    ],
  ])('are taken with %s', (_, headers) => {
    expect(refuseDefaultCredentials(headers)).toBeUndefined()
  })

  it.each<[string, string[]]>([
    ['no Host', []],
    ['two Hosts', [...HOST, 'Host', 'localhost']],
    ['a name that only points here', ['Host', 'kms.example.com:9000']],
    ['another address', ['Host', '192.0.2.1']],
    ['a longer name', ['Host', 'localhost.example.com']],
    ['a name before it', ['Host', 'x.localhost']],
    ['a user before it', ['Host', 'x@localhost']],
    ['an unspecified address', ['Host', '0.0.0.0:9000']],
    ['127.1', ['Host', '127.1']],
    ['an empty Host', ['Host', '']],
    ['an Origin', [...HOST, 'Origin', 'http://localhost:9000']],
    ['an Origin that says nothing', [...HOST, 'origin', 'null']],
    ['a cross-site request', [...HOST, 'Sec-Fetch-Site', 'cross-site']],
    ['a same-site request', [...HOST, 'Sec-Fetch-Site', 'same-site']],
    ['X-Forwarded-For', [...HOST, 'X-Forwarded-For', '192.0.2.1']],
    ['X-Forwarded-Host', [...HOST, 'x-forwarded-host', 'localhost']],
    ['Forwarded', [...HOST, 'Forwarded', 'for=192.0.2.1']],
    ['Via', [...HOST, 'Via', '1.1 proxy']],
    ['X-Real-IP', [...HOST, 'X-Real-IP', '192.0.2.1']],
  ])('are refused with %s, and the reply says what to do', (_, headers) => {
    expect(refuseDefaultCredentials(headers)).toMatch(/Set KMS_ROOT_ACCESS_KEY and KMS_ROOT_SECRET_KEY/)
  })
})

describe('at start', () => {
  const settings = (environment: Readonly<Record<string, string>>) => {
    const command = readCommand({ args: [], environment })
    if (command.kind !== 'serve') throw new Error(command.kind)
    return command.given.settings
  }
  const OWN = { KMS_ROOT_ACCESS_KEY: 'someone', KMS_ROOT_SECRET_KEY: 'a long secret' }

  it.each([
    ['127.0.0.1:9000', true],
    ['127.9.9.9:9000', true],
    ['[::1]:9000', true],
    ['localhost:9000', true],
    ['0.0.0.0:9000', false],
    ['[::]:9000', false],
    ['192.0.2.1:9000', false],
    ['kms.example.com:9000', false],
    ['localhost.example.com:9000', false],
  ])('the default credentials on %s: allowed %s', (listen, allowed) => {
    const check = () => checkDefaultCredentials(settings({ KMS_LISTEN: listen }))
    if (allowed) expect(check()).toBe(true)
    else expect(check).toThrow(/KMS_LISTEN .* Set KMS_ROOT_ACCESS_KEY and KMS_ROOT_SECRET_KEY/)
    expect(checkDefaultCredentials(settings({ ...OWN, KMS_LISTEN: listen }))).toBe(false)
  })

  it('admin/admin written out is the default too', () => {
    const written = { KMS_ROOT_ACCESS_KEY: 'admin', KMS_ROOT_SECRET_KEY: 'admin', KMS_LISTEN: '0.0.0.0:1' }
    expect(() => checkDefaultCredentials(settings(written))).toThrow(/KMS_LISTEN/)
  })

  it.each([
    ['::ffff:127.0.0.1', true],
    ['128.0.0.1', false],
    ['0:0:0:0:0:0:0:1', true],
  ])('isLoopback(%s) is %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected)
  })
})
