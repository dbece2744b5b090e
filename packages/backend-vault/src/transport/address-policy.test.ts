import { describe, expect, it } from 'vitest'
import { parseVaultAddress, type VaultAddress } from '../config/vault-address.ts'
import { checkAddressPolicy, isHostAllowed, whyNotDialled } from './address-policy.ts'

const at = (text: string): VaultAddress => parseVaultAddress(text) as VaultAddress

describe('addresses', () => {
  it.each([
    '169.254.169.254',
    '169.254.0.1',
    '224.0.0.1',
    '239.255.255.255',
    '255.255.255.255',
    '0.0.0.0',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'ff02::1',
    '::',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    '::a9fe:a9fe',
    'not an address',
  ])('%s is never dialled', (address) => {
    for (const protocol of ['http:', 'https:'] as const) {
      expect(whyNotDialled(address, protocol, { allowHttp: true })).toBeDefined()
    }
  })

  it.each(['10.0.0.1', '192.168.1.1', '172.16.0.1', '8.8.8.8', '100.64.0.1', '2001:db8::1', 'fd00::1', 'fec0::1'])(
    '%s is dialled over https, and over http where that is allowed',
    (address) => {
      expect(whyNotDialled(address, 'https:', {})).toBeUndefined()
      expect(whyNotDialled(address, 'http:', {})).toContain('KMS_ALLOW_HTTP_VAULT')
      expect(whyNotDialled(address, 'http:', { allowHttp: true })).toBeUndefined()
    },
  )

  it.each(['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1'])(
    '%s is dialled over plain http too',
    (address) => {
      expect(whyNotDialled(address, 'http:', {})).toBeUndefined()
      expect(whyNotDialled(address, 'https:', {})).toBeUndefined()
    },
  )
})

describe('hosts', () => {
  it.each([
    ['https://vault.example.com:8200', ['vault.example.com'], true],
    ['https://vault.example.com:8200', ['VAULT.example.com:8200'], true],
    ['https://vault.example.com:8200', ['vault.example.com:8201'], false],
    ['https://vault.example.com', ['vault.example.com:443'], true],
    ['https://vault.example.com:8200', ['*.example.com'], true],
    ['https://a.b.example.com', ['*.example.com'], true],
    ['https://example.com', ['*.example.com'], false],
    ['https://badexample.com', ['*.example.com'], false],
    ['https://vault.example.com.evil.org', ['vault.example.com', '*.example.com'], false],
    ['https://[::1]:8200', ['[::1]'], true],
    ['https://[0:0::1]:8200', ['[::1]:8200'], true],
    ['https://[::1]:8200', ['[0:0:0::1]'], true],
    ['https://[::1]:8200', ['[::2]'], false],
    ['https://127.0.0.1', ['127.0.0.1'], true],
    ['https://127.0.0.1', ['*'], false],
    ['https://127.0.0.1', [], false],
  ])('%s under %j: %s', (address, allowed, expected) => {
    expect(isHostAllowed(at(address), allowed)).toBe(expected)
  })
})

describe('a configuration', () => {
  it.each([
    ['https://vault.example.com', false, { allowHosts: ['other'] }, 'address', 'KMS_ALLOW_VAULT_HOSTS'],
    ['https://169.254.169.254', false, { allowHosts: ['169.254.169.254'] }, 'address', 'metadata'],
    ['https://[fe80::1]', false, {}, 'address', 'Link-local'],
    ['http://10.0.0.1', false, {}, 'address', 'KMS_ALLOW_HTTP_VAULT'],
    ['https://0xa9fea9fe/', false, {}, 'address', 'metadata'],
    ['https://v', true, {}, 'skip_tls_verify', 'KMS_ALLOW_SKIP_TLS_VERIFY'],
  ])('of %s is refused', (address, skip, policy, path, hint) => {
    expect(() => checkAddressPolicy(at(address), skip, policy)).toThrow(
      expect.objectContaining({
        code: 'PolicyViolation',
        message: expect.stringMatching(new RegExp(`^${path}.*${hint}`)),
      }),
    )
  })

  it.each([
    ['https://vault.example.com', false, {}],
    ['https://10.0.0.1', false, {}],
    ['http://127.0.0.1:8200', false, {}],
    // Which addresses a name has is checked for each connection.
    ['http://vault.example.com', false, {}],
    ['http://10.0.0.1', false, { allowHttp: true }],
    ['https://v', true, { allowSkipTlsVerify: true }],
    ['https://v:1', false, { allowHosts: ['v'] }],
  ])('of %s is allowed', (address, skip, policy) => {
    expect(() => checkAddressPolicy(at(address), skip, policy)).not.toThrow()
  })
})
