import { describe, expect, it } from 'vitest'
import { bootstrapDocument } from './bootstrap-document.ts'
import { readCommand } from './settings.ts'

function bootstrap(environment: Readonly<Record<string, string>>) {
  const command = readCommand({ args: [], environment })
  if (command.kind !== 'serve') throw new Error(command.kind)
  return bootstrapDocument(command.given)
}

const ON = { RUSTFS_KMS_ENABLE: 'true' }
const VAULT = { ...ON, RUSTFS_KMS_BACKEND: 'vault', RUSTFS_KMS_VAULT_ADDRESS: 'https://v:8200' }

describe('bootstrapDocument', () => {
  it('is nothing without the settings', () => {
    expect(bootstrap({ KMS_REGION: 'x' })).toEqual({ document: undefined, names: [] })
  })

  it('makes no document unless it is enabled, and tells what it leaves out', () => {
    const names = ['RUSTFS_KMS_BACKEND', 'RUSTFS_KMS_KEY_DIR']
    expect(bootstrap({ RUSTFS_KMS_BACKEND: 'local', RUSTFS_KMS_KEY_DIR: '/k' })).toEqual({ document: undefined, names })
    expect(bootstrap({ RUSTFS_KMS_ENABLE: 'off', RUSTFS_KMS_KEY_DIR: '/k' }).document).toBeUndefined()
  })

  it.each([
    ['local by default', { ...ON, RUSTFS_KMS_KEY_DIR: '/k' }, { backend_type: 'local', key_dir: '/k' }],
    [
      'the other name of the directory',
      { ...ON, RUSTFS_KMS_LOCAL_KEY_DIR: '/k' },
      { backend_type: 'local', key_dir: '/k' },
    ],
    [
      'everything of the local backend',
      {
        ...ON,
        RUSTFS_KMS_BACKEND: 'Local',
        RUSTFS_KMS_KEY_DIR: '/k',
        RUSTFS_KMS_LOCAL_MASTER_KEY: 'pass phrase',
        RUSTFS_KMS_DEFAULT_KEY_ID: 'main',
        RUSTFS_KMS_TIMEOUT_SECS: '5',
        RUSTFS_KMS_RETRY_ATTEMPTS: '0',
        RUSTFS_KMS_ENABLE_CACHE: 'false',
      },
      {
        backend_type: 'local',
        key_dir: '/k',
        master_key: 'pass phrase',
        default_key_id: 'main',
        timeout_seconds: 5,
        retry_attempts: 0,
        enable_cache: false,
      },
    ],
    [
      'everything of Vault but the login',
      {
        ...VAULT,
        RUSTFS_KMS_VAULT_NAMESPACE: 'n',
        RUSTFS_KMS_VAULT_MOUNT_PATH: 'transit',
        RUSTFS_KMS_VAULT_KV_MOUNT: 'kv',
        RUSTFS_KMS_VAULT_KEY_PREFIX: 'p',
        RUSTFS_KMS_VAULT_SKIP_TLS_VERIFY: 'on',
      },
      {
        backend_type: 'vault',
        address: 'https://v:8200',
        namespace: 'n',
        mount_path: 'transit',
        kv_mount: 'kv',
        key_path_prefix: 'p',
        skip_tls_verify: true,
      },
    ],
    ['a token', { ...VAULT, RUSTFS_KMS_VAULT_TOKEN: 't' }, { auth_method: { token: { token: 't' } } }],
    ['a token file', { ...VAULT, RUSTFS_KMS_VAULT_TOKEN_FILE: '/t' }, { auth_method: { token_file: { path: '/t' } } }],
    [
      'an AppRole, whatever token is left beside it',
      {
        ...VAULT,
        RUSTFS_KMS_VAULT_TOKEN: 'left over',
        RUSTFS_KMS_VAULT_APPROLE_ROLE_ID: 'r',
        RUSTFS_KMS_VAULT_APPROLE_SECRET_ID: 's',
        RUSTFS_KMS_VAULT_APPROLE_MOUNT: 'm',
      },
      { auth_method: { approle: { role_id: 'r', secret_id: 's', mount: 'm' } } },
    ],
    [
      'an AppRole with a file',
      { ...VAULT, RUSTFS_KMS_VAULT_APPROLE_ROLE_ID: 'r', RUSTFS_KMS_VAULT_APPROLE_SECRET_ID_FILE: '/s' },
      { auth_method: { approle: { role_id: 'r', secret_id_file: '/s' } } },
    ],
    [
      'Kubernetes',
      {
        ...VAULT,
        RUSTFS_KMS_VAULT_KUBERNETES_ROLE: 'r',
        RUSTFS_KMS_VAULT_KUBERNETES_MOUNT: 'm',
        RUSTFS_KMS_VAULT_KUBERNETES_JWT_PATH: '/j',
      },
      { auth_method: { kubernetes: { role: 'r', mount: 'm', jwt_path: '/j' } } },
    ],
  ])('%s', (_, environment, expected) => {
    const { document, names } = bootstrap(environment)
    expect(document).toMatchObject(expected)
    expect(names).toEqual(expect.arrayContaining(Object.keys(environment)))
    if (!('auth_method' in expected)) expect(document).toEqual(expected)
  })

  it.each([
    [
      { ...ON, RUSTFS_KMS_VAULT_ADDRESS: 'https://v' },
      /RUSTFS_KMS_VAULT_ADDRESS is not a setting of RUSTFS_KMS_BACKEND local/,
    ],
    [
      { ...VAULT, RUSTFS_KMS_LOCAL_MASTER_KEY: 'x' },
      /RUSTFS_KMS_LOCAL_MASTER_KEY is not a setting of RUSTFS_KMS_BACKEND vault/,
    ],
    [
      { ...VAULT, RUSTFS_KMS_VAULT_TOKEN_FILE: '/t', RUSTFS_KMS_VAULT_APPROLE_ROLE_ID: 'r' },
      /RUSTFS_KMS_VAULT_APPROLE_ROLE_ID cannot stand beside settings of the token_file login/,
    ],
    [
      { ...VAULT, RUSTFS_KMS_VAULT_KUBERNETES_ROLE: 'k', RUSTFS_KMS_VAULT_APPROLE_ROLE_ID: 'r' },
      /RUSTFS_KMS_VAULT_APPROLE_ROLE_ID cannot stand beside settings of the kubernetes login/,
    ],
  ])('%j is refused', (environment, message) => {
    expect(() => bootstrap(environment)).toThrow(message)
  })
})
