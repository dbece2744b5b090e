import { describe, expect, it } from 'vitest'
import { parseVaultAddress, type VaultAddress } from '../config/vault-address.ts'
import { followStandby } from './standby-redirect.ts'
import { isTransportFailure } from './transport-failure.ts'

const from = 'https://vault.example.com:8200/v1/transit/encrypt/a?x=1'
const address = parseVaultAddress('https://vault.example.com:8200') as VaultAddress
const same = '/v1/transit/encrypt/a?x=1'

describe('a redirect', () => {
  it.each([
    [`https://vault.example.com:8300${same}`, {}],
    [same, {}],
    [`https://node2.example.com:8200${same}`, { allowHosts: ['*.example.com'] }],
    [`https://node2.example.com${same}`, { allowHosts: ['vault.example.com', 'node2.example.com:443'] }],
    [`https://10.0.0.2:8200${same}`, { allowHosts: ['10.0.0.2'] }],
  ])('to %s is followed', (location, policy) => {
    expect(followStandby(from, location, { address, policy })).toBe(new URL(location, from).href)
  })

  it.each([
    [`https://node2.example.com:8200${same}`, {}, 'not configured'],
    [`https://node2.example.com:8200${same}`, { allowHosts: ['node2.example.com:8300'] }, 'not configured'],
    [`https://evil.org${same}`, { allowHosts: ['*.example.com'] }, 'not configured'],
    [`http://vault.example.com:8200${same}`, {}, 'from https: to http:'],
    [`https://vault.example.com:8200/v1/sys/seal`, {}, 'not the same request'],
    [`https://vault.example.com:8200/v1/transit/encrypt/a`, {}, 'not the same request'],
    [`https://vault.example.com:8200${same}#x`, {}, 'not the same request'],
    [`https://user:pw@vault.example.com:8200${same}`, {}, 'not the same request'],
    [`ftp://vault.example.com${same}`, {}, 'not the same request'],
    [`https://169.254.169.254${same}`, { allowHosts: ['169.254.169.254'] }, 'metadata'],
    ['https://', {}, 'not the same request'],
    [undefined, {}, 'not the same request'],
  ])('to %s is not', (location, policy, reason) => {
    let failure: unknown
    try {
      followStandby(from, location, { address, policy })
    } catch (error) {
      failure = error
    }
    if (!isTransportFailure(failure)) return expect.fail('it was followed')
    expect(failure.reason).toContain(reason)
    expect(failure).toMatchObject({ reached: false, passing: true })
  })
})
