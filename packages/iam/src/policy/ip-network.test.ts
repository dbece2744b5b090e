import { BlockList } from 'node:net'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { networkContains, parseIpNetwork } from './ip-network.ts'

function contains(network: string, address: string): boolean | undefined {
  const parsedNetwork = parseIpNetwork(network)
  const parsedAddress = parseIpNetwork(address)
  return parsedNetwork && parsedAddress && networkContains(parsedNetwork, parsedAddress)
}

describe('parseIpNetwork', () => {
  it.each([
    '',
    '/',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4/33',
    '1.2.3.4/08',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '1.2.3.4/1/2',
    ' 1.2.3.4',
    '0x1.2.3.4',
    '1.2.3.٤',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::/129',
    'fe80::1%eth0',
    '[::1]',
    'localhost',
  ])('refuses %j', (text) => {
    expect(parseIpNetwork(text)).toBeUndefined()
  })

  it.each([
    '0.0.0.0/0',
    '1.2.3.4',
    '::',
    '::1',
    '1::',
    '1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7::',
    '::ffff:1.2.3.4',
    'ABCD::1/128',
  ])('reads %j', (text) => {
    expect(parseIpNetwork(text)).toBeDefined()
  })
})

describe('networkContains', () => {
  it.each([
    ['203.0.113.0/24', '203.0.113.255', true],
    ['203.0.113.0/24', '203.0.114.0', false],
    ['203.0.113.9/24', '203.0.113.1', true],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '1.2.3.4', false],
    ['203.0.113.7', '203.0.113.7', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:db8::1', '2001:DB8:0:0:0:0:0:1', true],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:0a01:0203', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/90', '10.1.2.3', false],
    ['10.0.0.0/8', '10.0.0.0/16', false],
  ])('%s holds %s: %j', (network, address, expected) => {
    expect(contains(network, address)).toBe(expected)
  })

  it('agrees with node:net', () => {
    const near = fc.tuple(fc.ipV4(), fc.nat(255)).map(([ip, last]) => [ip, ip.replace(/\d+$/, String(last))] as const)
    fc.assert(
      fc.property(near, fc.nat(32), ([network, address], prefix) => {
        const list = new BlockList()
        list.addSubnet(network, prefix, 'ipv4')
        expect(contains(`${network}/${prefix}`, address)).toBe(list.check(address, 'ipv4'))
      }),
    )
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), fc.integer({ min: 1, max: 95 }), (network, address, prefix) => {
        const list = new BlockList()
        list.addSubnet(network, prefix, 'ipv6')
        for (const candidate of [network, address].filter((text) => parseIpNetwork(text)?.bits === 128)) {
          expect(contains(`${network}/${prefix}`, candidate)).toBe(list.check(candidate, 'ipv6'))
        }
      }),
    )
  })
})
