import { Secret } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { documentOf, type Fields } from '../test/live-vault.ts'
import { vaultDriver } from './vault-driver.ts'

const driver = vaultDriver({ policy: {} })
const here = { address: 'https://vault.example.com:8200', auth_method: { token: 's.token' } }
const of = (fields: Fields) => documentOf(driver, { ...here, ...fields })
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

describe('the fields of the vault driver', () => {
  it('have the defaults of contract §2', () => {
    expect(of({})).toMatchObject({
      address: 'https://vault.example.com:8200',
      mount_path: 'transit',
      kv_mount: 'secret',
      key_path_prefix: 'rustfs/kms/keys',
      skip_tls_verify: false,
    })
    expect(of({})['namespace']).toBeUndefined()
  })

  it.each([
    ['https://Vault.Example.com', 'https://vault.example.com'],
    ['https://v:443/', 'https://v'],
    ['http://127.0.0.1:8200', 'http://127.0.0.1:8200'],
    ['https://[::1]:8200', 'https://[::1]:8200'],
    ['https://0x7f.1:8200', 'https://127.0.0.1:8200'],
  ])('normalise address %s to %s', (given, origin) => {
    expect(of({ address: given })['address']).toBe(origin)
  })

  it.each([
    '',
    'vault.example.com:8200',
    'ftp://v',
    'https://',
    'https://user:pass@v',
    'https://@v',
    'https://v/v1',
    'https://v?x=1',
    'https://v?',
    'https://v#',
    'https://v\\x',
    'https://v v',
    'unix:///run/vault.sock',
    'https://v:99999',
    7,
    undefined,
  ])('refuse address %j', (given) => {
    expect(() => of({ address: given })).toThrow(/address|expected string/)
  })

  it.each([
    ['transit/', 'transit'],
    ['/a/b/', 'a/b'],
    ['a.b_c~d-e', 'a.b_c~d-e'],
  ])('take the mount %s as %s', (given, path) => {
    for (const field of ['mount_path', 'kv_mount', 'key_path_prefix', 'namespace']) {
      expect(of({ mount_path: 'other', [field]: given })[field]).toBe(path)
    }
  })

  it.each([
    '',
    '/',
    'a//b',
    '..',
    'a/../b',
    './a',
    'a/.',
    '.hidden',
    'a b',
    'a%2fb',
    'a?b',
    'a#b',
    'ä',
    'a\n',
    'x'.repeat(600),
  ])('refuse the mount %j', (given) => {
    for (const field of ['mount_path', 'kv_mount', 'key_path_prefix', 'namespace']) {
      expect(() => of({ [field]: given })).toThrow(/segments|<=512/)
    }
  })

  it.each(['', '-v', 'v-', 'a b', 'a_b', 'https://v', 'v:1'])('refuse tls_server_name %j', (given) => {
    expect(() => of({ tls_server_name: given })).toThrow('host name')
  })

  it('refuse certificates that are none', () => {
    for (const field of ['ca_cert', 'client_cert']) expect(() => of({ [field]: '/etc/ca.pem' })).toThrow('PEM')
    expect(() => of({ ca_cert_path: 'ca.pem' })).toThrow('absolute')
    expect(() => of({ ca_cert_path: '/a/../b' })).toThrow('segments')
  })
})

describe('auth_method', () => {
  const secret = expect.any(Secret)

  it.each([
    [{ token: 't' }, { token: { token: secret } }],
    [{ token: { token: 't' } }, { token: { token: secret } }],
    [{ Token: 't' }, { token: { token: secret } }],
    [{ Token: { token: 't' } }, { token: { token: secret } }],
    [{ token_file: { path: '/run/secrets/t' } }, { token_file: { path: '/run/secrets/t' } }],
    [{ TokenFile: { path: '/run/secrets/t' } }, { token_file: { path: '/run/secrets/t' } }],
    [
      { approle: { role_id: 'r', secret_id: 's' } },
      { approle: { role_id: 'r', secret_id: secret, secret_id_wrapped: false, mount: 'approle' } },
    ],
    [
      { AppRole: { role_id: 'r', secret_id_file: '/run/secrets/s', mount: 'auth/x/' } },
      { approle: { role_id: 'r', secret_id_file: '/run/secrets/s', secret_id_wrapped: false, mount: 'auth/x' } },
    ],
    [
      { Kubernetes: { role: 'kms' } },
      {
        kubernetes: {
          role: 'kms',
          jwt_path: '/var/run/secrets/kubernetes.io/serviceaccount/token',
          mount: 'kubernetes',
        },
      },
    ],
    [
      { kubernetes: { role: 'kms', jwt_path: '/run/secrets/j', mount: 'k8s' } },
      { kubernetes: { role: 'kms', jwt_path: '/run/secrets/j', mount: 'k8s' } },
    ],
  ])('takes %j', (given, read) => {
    const auth = of({ auth_method: given })['auth_method']
    expect(auth).toEqual(read)
  })

  it.each([
    [undefined],
    ['s.token'],
    [{}],
    [{ token: 't', approle: { role_id: 'r', secret_id: 's' } }],
    [{ token: '' }],
    [{ token: { token: 't', extra: 1 } }],
    [{ token_file: '/t' }],
    [{ token_file: { path: 't' } }],
    [{ approle: { secret_id: 's' } }],
    [{ approle: { role_id: '', secret_id: 's' } }],
    [{ approle: { role_id: 'r', secret_id: 's', mount: '../x' } }],
    [{ kubernetes: {} }],
    [{ userpass: { username: 'u' } }],
    [[]],
  ])('refuses %j', (given) => {
    expect(() => of({ auth_method: given })).toThrow('auth_method')
  })

  it('of the two places of a secret id the one that is given clears the other', () => {
    const canonical = (approle: Fields) => driver.canonicalise?.('auth_method', { approle })
    expect(canonical({ secret_id_file: '/s' })).toEqual({ approle: { secret_id_file: '/s', secret_id: null } })
    expect(canonical({ secret_id: 's' })).toEqual({ approle: { secret_id: 's', secret_id_file: null } })
    expect(canonical({ role_id: 'r' })).toEqual({ approle: { role_id: 'r' } })
    const both = of({ auth_method: { approle: { role_id: 'r', secret_id: 's', secret_id_file: '/s' } } })
    expect(driver.check?.(both)).toMatchObject({ path: 'auth_method.approle.secret_id_file' })
  })

  it('leaves what it does not know alone', () => {
    for (const value of [7, null, 'x', [], { approle: 7 }]) {
      expect(driver.canonicalise?.('auth_method', value)).toEqual(value)
    }
    expect(driver.canonicalise?.('address', { token: 'x' })).toEqual({ token: 'x' })
  })
})

describe('the vault driver', () => {
  it('takes the names of contract §2', () => {
    expect(driver).toMatchObject({
      type: 'vault',
      aliases: ['Vault', 'vault-transit', 'vault_transit', 'VaultTransit'],
      secrets: [['auth_method', 'token', 'token'], ['auth_method', 'approle', 'secret_id'], ['client_key']],
      exclusive: [['ca_cert', 'ca_cert_path']],
      variants: ['auth_method'],
    })
  })

  it.each<[Fields, string]>([
    [{ client_cert: PEM }, 'client_cert'],
    [{ client_key: PEM }, 'client_key'],
    [{ kv_mount: 'transit' }, 'kv_mount'],
    [{ auth_method: { approle: { role_id: 'r', secret_id_wrapped: true } } }, 'auth_method.approle.secret_id_wrapped'],
    [{ address: 'http://127.0.0.1', ca_cert: PEM }, 'ca_cert'],
    [{ address: 'http://127.0.0.1', skip_tls_verify: true }, 'skip_tls_verify'],
    [{ address: 'http://127.0.0.1', tls_server_name: 'v' }, 'tls_server_name'],
  ])('finds what is wrong with %j', (fields, path) => {
    expect(driver.check?.(of(fields))).toMatchObject({ path })
  })

  it.each<[Fields]>([
    [{}],
    [{ client_cert: PEM, client_key: PEM }],
    [{ address: 'http://127.0.0.1' }],
    [{ auth_method: { approle: { role_id: 'r' } } }],
  ])('finds nothing wrong with %j', (fields) => {
    expect(driver.check?.(of(fields))).toBeUndefined()
  })

  it.each<[Fields, string, boolean]>([
    [{}, 'token', true],
    [{ auth_method: { token_file: { path: '/run/secrets/t' } } }, 'token_file', false],
    [{ auth_method: { approle: { role_id: 'r', secret_id: 's' } } }, 'approle', true],
    [{ auth_method: { approle: { role_id: 'r', secret_id_file: '/run/secrets/s' } } }, 'approle', false],
    [{ auth_method: { kubernetes: { role: 'r' } } }, 'kubernetes', false],
  ])('summarises %j without its secrets', (fields, method, stored) => {
    expect(driver.summary(of({ ...fields, namespace: 'team' }))).toEqual({
      backend_type: 'vault',
      address: 'https://vault.example.com:8200',
      auth_method_type: method,
      has_stored_credentials: stored,
      namespace: 'team',
      mount_path: 'transit',
      kv_mount: 'secret',
      key_path_prefix: 'rustfs/kms/keys',
      skip_tls_verify: false,
      token_expires_at: null,
    })
  })

  it('names its place by origin, namespace, mounts and prefix, however they are written', () => {
    const place = driver.identity(here)
    expect(place).toBe('https://vault.example.com:8200 (transit transit, kv secret/rustfs/kms/keys)')
    expect(driver.identity(of({}))).toBe(place)
    expect(driver.identity({ ...here, address: 'https://VAULT.example.com:8200/', mount_path: 'transit/' })).toBe(place)
    const others = [
      { address: 'https://vault.example.com' },
      { address: 'http://vault.example.com:8200' },
      { namespace: 'team' },
      { mount_path: 'transit2' },
      { kv_mount: 'kv' },
      { key_path_prefix: 'p' },
    ]
    const places = others.map((fields) => driver.identity({ ...here, ...fields }))
    expect(new Set([place, ...places]).size).toBe(others.length + 1)
    expect(driver.identity({ ...here, auth_method: { token: 'x' }, ca_cert: PEM })).toBe(place)
    for (const address of [undefined, 7, 'nowhere']) expect(driver.identity({ address })).toBeUndefined()
  })

  it('binds secrets to scheme, host, port and trust', () => {
    const binding = driver.secretBinding(of({}))
    expect(driver.secretBinding({ ...here, address: 'https://vault.example.com:8200/' })).toBe(binding)
    expect(driver.secretBinding(of({ namespace: 'n', mount_path: 'm', auth_method: { token: 'other' } }))).toBe(binding)
    const others = [
      { address: 'https://vault.example.com:8201' },
      { address: 'http://vault.example.com:8200' },
      { address: 'https://vault2.example.com:8200' },
      { skip_tls_verify: true },
      { ca_cert: PEM },
      { ca_cert_path: '/etc/ssl/ca.pem' },
      { tls_server_name: 'other' },
    ]
    const bindings = others.map((fields) => driver.secretBinding(of(fields)))
    expect(new Set([binding, ...bindings]).size).toBe(others.length + 1)
  })
})
