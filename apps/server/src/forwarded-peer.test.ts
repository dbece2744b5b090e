import { describe, expect, it } from 'vitest'
import { createClientFinder } from './forwarded-peer.ts'

const find = createClientFinder(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'])

describe('the client is', () => {
  it.each<[string, string | undefined, readonly string[], string | undefined]>([
    ['the peer, without headers', '10.0.0.1', [], '10.0.0.1'],
    ['the peer, whatever a stranger writes', '203.0.113.9', ['X-Forwarded-For', '127.0.0.1'], '203.0.113.9'],
    ['the peer, whatever a stranger forwards', '203.0.113.9', ['Forwarded', 'for=127.0.0.1'], '203.0.113.9'],
    ['who the proxy names', '10.0.0.1', ['X-Forwarded-For', '203.0.113.9'], '203.0.113.9'],
    ['who the nearest proxy names', '10.0.0.1', ['X-Forwarded-For', '127.0.0.1, 203.0.113.9'], '203.0.113.9'],
    ['behind several proxies', '10.0.0.1', ['x-forwarded-for', '8.8.8.8, 203.0.113.9, 192.0.2.1'], '203.0.113.9'],
    [
      'the first of a chain of proxies only',
      '10.0.0.1',
      ['x-forwarded-for', '10.0.0.3', 'X-FORWARDED-FOR', '10.0.0.2'],
      '10.0.0.3',
    ],
    ['named in several headers', '10.0.0.1', ['x-forwarded-for', '1.1.1.1', 'x-forwarded-for', '2.2.2.2'], '2.2.2.2'],
    ['with a port', '10.0.0.1', ['X-Forwarded-For', '203.0.113.9:1234'], '203.0.113.9'],
    ['IPv6', '2001:db8::1', ['X-Forwarded-For', '2001:db9::9'], '2001:db9::9'],
    ['IPv6 with a port', '10.0.0.1', ['Forwarded', 'for="[2001:db9::9]:47011"'], '2001:db9::9'],
    ['IPv4 in IPv6', '::ffff:10.0.0.1', ['X-Forwarded-For', '::ffff:203.0.113.9'], '203.0.113.9'],
    ['forwarded', '10.0.0.1', ['Forwarded', 'proto=https;For=203.0.113.9;by=10.0.0.1'], '203.0.113.9'],
    ['forwarded along a chain', '10.0.0.1', ['Forwarded', 'for=8.8.8.8, for=203.0.113.9, for=10.1.1.1'], '203.0.113.9'],
    ['the proxy that hides it', '10.0.0.1', ['Forwarded', 'for=203.0.113.9, for=_hidden'], '10.0.0.1'],
    ['the proxy that does not know it', '10.0.0.1', ['X-Forwarded-For', '203.0.113.9, unknown'], '10.0.0.1'],
    ['the proxy that writes nothing', '10.0.0.1', ['X-Forwarded-For', ''], '10.0.0.1'],
    [
      'named by both headers alike',
      '10.0.0.1',
      ['Forwarded', 'for=203.0.113.9', 'X-Forwarded-For', '203.0.113.9'],
      '203.0.113.9',
    ],
    ['not known', undefined, ['X-Forwarded-For', '203.0.113.9'], undefined],
  ])('%s', (_, remote, headers, client) => {
    expect(find(remote, headers)).toBe(client)
  })
})

it('refuses headers that contradict each other: one of them may be a stranger’s', () => {
  const headers = ['Forwarded', 'for=127.0.0.1', 'X-Forwarded-For', '203.0.113.9']
  expect(() => find('10.0.0.1', headers)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }))
  expect(find('203.0.113.9', headers)).toBe('203.0.113.9')
})

it('trusts nobody unless told to', () => {
  expect(createClientFinder([])('127.0.0.1', ['X-Forwarded-For', '8.8.8.8'])).toBe('127.0.0.1')
})
