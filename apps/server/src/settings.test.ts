import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Secret } from '@kms/core'
import { afterAll, describe, expect, it } from 'vitest'
import { flagOf, type SettingName, settingNames, settingTable, withoutCounterpart } from './setting-table.ts'
import { type Command, readCommand } from './settings.ts'
import { isStartupError } from './startup-error.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const folder = mkdtempSync(join(tmpdir(), 'kms-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))

type Environment = Readonly<Record<string, string>>

function read(environment: Environment, args: readonly string[] = []): Extract<Command, { kind: 'serve' }>['given'] {
  const command = readCommand({ args, environment })
  if (command.kind !== 'serve') throw new Error(`unexpected ${command.kind}`)
  return command.given
}

function refusal(environment: Environment, args: readonly string[] = []): string {
  try {
    read(environment, args)
  } catch (error) {
    if (!isStartupError(error)) throw error
    expect(error.exitCode).toBe(2)
    return error.message
  }
  throw new Error('the settings were accepted')
}

function configFile(content: unknown): string {
  const path = join(folder, `${Math.random()}.json`)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** Secrets as what they hold, so that tables can show it. */
function plain(value: unknown): unknown {
  return value instanceof Secret ? value.reveal() : value
}

/** For every setting: text that is good and what it means, and text that is refused. */
const table: Readonly<Record<SettingName, { good: [string, unknown][]; bad: string[]; beside?: Environment }>> = {
  KMS_LISTEN: {
    good: [
      ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
      ['[::1]:9000', { host: '::1', port: 9000 }],
      ['localhost:0', { host: 'localhost', port: 0 }],
      ['kms.example.com:65535', { host: 'kms.example.com', port: 65_535 }],
    ],
    bad: [
      '9000',
      '127.0.0.1',
      '127.0.0.1:65536',
      '127.0.0.1:-1',
      '::1:9000',
      '[127.0.0.1]:1',
      'a b:1',
      'http://x:1',
      ':9000',
    ],
  },
  KMS_DATA_DIR: {
    good: [
      ['/srv/kms', '/srv/kms'],
      ['x/y', resolve('x/y')],
    ],
    bad: ['', 'a\0b'],
  },
  KMS_ROOT_ACCESS_KEY: {
    good: [['AKIDEXAMPLE', 'AKIDEXAMPLE']],
    bad: ['', 'ab', 'has space', 'a,b,c', 'x'.repeat(129)],
    beside: { KMS_ROOT_SECRET_KEY: 'long enough' },
  },
  KMS_ROOT_SECRET_KEY: {
    good: [['12345678', '12345678']],
    bad: ['', '1234567', 'x'.repeat(129), 'line\nbreak'],
    beside: { KMS_ROOT_ACCESS_KEY: 'someone' },
  },
  KMS_REGION: { good: [['eu-central-1', 'eu-central-1']], bad: ['', 'EU', 'a b'] },
  KMS_TLS_CERT: { good: [['/c.pem', '/c.pem']], bad: [''], beside: { KMS_TLS_KEY: '/k.pem' } },
  KMS_TLS_KEY: { good: [['/k.pem', '/k.pem']], bad: [''], beside: { KMS_TLS_CERT: '/c.pem' } },
  KMS_S3_DOMAINS: { good: [['a.example, b.example', ['a.example', 'b.example']]], bad: ['', 'a,,b', 'a b'] },
  KMS_LOG_LEVEL: {
    good: [
      ['debug', 'debug'],
      ['silent', 'silent'],
    ],
    bad: ['', 'DEBUG', 'verbose'],
  },
  KMS_LOG_FORMAT: {
    good: [
      ['json', 'json'],
      ['pretty', 'pretty'],
    ],
    bad: ['', 'text'],
  },
  KMS_SERVER_KEY: {
    good: [[KEY, KEY]],
    bad: ['', 'short', KEY.slice(1), `${KEY.slice(0, 42)}d=`, KEY.replace('=', '')],
  },
  KMS_SERVER_KEY_FILE: { good: [['/run/key', '/run/key']], bad: [''] },
  KMS_SERVER_KEY_PREVIOUS: { good: [[KEY, KEY]], bad: ['', 'short'] },
  KMS_BACKUP_KEY: { good: [[KEY, KEY]], bad: ['', 'short'] },
  KMS_BACKUP_KEY_FILE: { good: [['/run/key', '/run/key']], bad: [''] },
  KMS_IAM_FILE: { good: [['/iam.json', '/iam.json']], bad: [''] },
  KMS_TRUSTED_PROXIES: {
    good: [['10.0.0.0/8,::1', ['10.0.0.0/8', '::1']]],
    bad: ['', 'proxy.example', '10.0.0.0/33', '::/129', '10.0.0.0/8/8', '10.0.0.0/x'],
  },
  KMS_AUTH_FAILURES_PER_MINUTE: {
    good: [
      ['0', 0],
      ['60', 60],
    ],
    bad: ['', '-1', '1.5', 'many', '1000001'],
  },
  KMS_DRAIN_SECONDS: {
    good: [
      ['0', 0],
      ['300', 300],
    ],
    bad: ['', '301', '-1', '1e1', '5s'],
  },
  KMS_METRICS_LISTEN: { good: [['127.0.0.1:9001', { host: '127.0.0.1', port: 9001 }]], bad: ['', '9001'] },
  KMS_AUDIT_DIR: { good: [['/a/audit', '/a/audit']], bad: [''] },
  KMS_AUDIT_SYNC: { good: [['interval', 'interval']], bad: ['', 'often'] },
  KMS_AUDIT_FULL: { good: [['drop', 'drop']], bad: ['', 'ignore'] },
  KMS_AUDIT_FILE_MIB: {
    good: [
      ['1', 1],
      ['1024', 1024],
    ],
    bad: ['0', '1025', ''],
  },
  KMS_AUDIT_DATA_PERCENT: {
    good: [
      ['0', 0],
      ['100', 100],
    ],
    bad: ['101', '-1', '1.5'],
  },
  KMS_METRICS_TOKEN: { good: [['scrape-me', 'scrape-me']], bad: ['', 'short', 'has a space'] },
  KMS_ALLOW_KEY_DIRS: {
    good: [
      ['/a/,/b/c', ['/a', '/b/c']],
      ['/', ['/']],
    ],
    bad: ['', 'relative', '/a,b', '/a/../b', ','],
  },
  KMS_ALLOW_VAULT_HOSTS: {
    good: [['vault.example:8200,[::1]', ['vault.example:8200', '[::1]']]],
    bad: ['', 'https://x'],
  },
  KMS_ALLOW_HTTP_VAULT: {
    good: [
      ['on', true],
      ['false', false],
    ],
    bad: ['', 'yes', '1'],
  },
  KMS_ALLOW_SKIP_TLS_VERIFY: {
    good: [
      ['on', true],
      ['off', false],
    ],
    bad: ['', 'maybe'],
  },
  KMS_ALLOW_SECRET_FILES: { good: [['/run/secrets', ['/run/secrets']]], bad: ['', 'secrets'] },
  KMS_ALLOW_IMMEDIATE_DELETION: {
    good: [
      ['true', true],
      ['off', false],
    ],
    bad: ['', 'TRUE'],
  },
  KMS_ALLOW_INSECURE_SSE_C: {
    good: [
      ['on', true],
      ['off', false],
    ],
    bad: ['', 'no'],
  },
  KMS_COMPAT_SERVER_INFO: {
    good: [
      ['off', false],
      ['on', true],
    ],
    bad: ['', 'none'],
  },
  RUSTFS_KMS_ENABLE: {
    good: [
      ['true', true],
      ['off', false],
    ],
    bad: ['', 'x'],
  },
  RUSTFS_KMS_BACKEND: { good: [['Local', 'local']], bad: [''] },
  RUSTFS_KMS_KEY_DIR: {
    good: [
      ['/keys', '/keys'],
      ['keys', resolve('keys')],
    ],
    bad: [''],
  },
  RUSTFS_KMS_LOCAL_KEY_DIR: { good: [['/keys', '/keys']], bad: [''] },
  RUSTFS_KMS_LOCAL_MASTER_KEY: { good: [['a pass phrase', 'a pass phrase']], bad: [''] },
  RUSTFS_KMS_DEFAULT_KEY_ID: { good: [['main', 'main']], bad: [''] },
  RUSTFS_KMS_TIMEOUT_SECS: {
    good: [
      ['1', 1],
      ['300', 300],
    ],
    bad: ['', '0', '301'],
  },
  RUSTFS_KMS_RETRY_ATTEMPTS: {
    good: [
      ['0', 0],
      ['10', 10],
    ],
    bad: ['', '11'],
  },
  RUSTFS_KMS_ENABLE_CACHE: { good: [['false', false]], bad: ['', '0'] },
  RUSTFS_KMS_VAULT_ADDRESS: { good: [['https://v:8200', 'https://v:8200']], bad: [''] },
  RUSTFS_KMS_VAULT_TOKEN: { good: [['hvs.x', 'hvs.x']], bad: [''] },
  RUSTFS_KMS_VAULT_TOKEN_FILE: { good: [['/t', '/t']], bad: [''] },
  RUSTFS_KMS_VAULT_NAMESPACE: { good: [['team', 'team']], bad: [''] },
  RUSTFS_KMS_VAULT_MOUNT_PATH: { good: [['transit', 'transit']], bad: [''] },
  RUSTFS_KMS_VAULT_KV_MOUNT: { good: [['secret', 'secret']], bad: [''] },
  RUSTFS_KMS_VAULT_KEY_PREFIX: { good: [['a/b', 'a/b']], bad: [''] },
  RUSTFS_KMS_VAULT_SKIP_TLS_VERIFY: { good: [['off', false]], bad: ['', 'no'] },
  RUSTFS_KMS_VAULT_APPROLE_ROLE_ID: { good: [['role', 'role']], bad: [''] },
  RUSTFS_KMS_VAULT_APPROLE_SECRET_ID: { good: [['s', 's']], bad: [''] },
  RUSTFS_KMS_VAULT_APPROLE_SECRET_ID_FILE: { good: [['/s', '/s']], bad: [''] },
  RUSTFS_KMS_VAULT_APPROLE_MOUNT: { good: [['approle', 'approle']], bad: [''] },
  RUSTFS_KMS_VAULT_KUBERNETES_ROLE: { good: [['kms', 'kms']], bad: [''] },
  RUSTFS_KMS_VAULT_KUBERNETES_MOUNT: { good: [['kubernetes', 'kubernetes']], bad: [''] },
  RUSTFS_KMS_VAULT_KUBERNETES_JWT_PATH: { good: [['/jwt', '/jwt']], bad: [''] },
}

describe.each(settingNames)('%s', (name) => {
  const { good, bad, beside = {} } = table[name]

  it.each(good)('takes %j from environment, flag and file', (value, expected) => {
    expect(plain(read({ ...beside, [name]: value }).settings[name])).toEqual(expected)
    expect(plain(read(beside, [flagOf(name), value]).settings[name])).toEqual(expected)
    expect(plain(read(beside, [`${flagOf(name)}=${value}`]).settings[name])).toEqual(expected)
    const file = configFile({ [name]: value })
    expect(plain(read(beside, ['--config', file]).settings[name])).toEqual(expected)
  })

  it.each(bad)('refuses %j, naming the setting and not the value', (value) => {
    const message = refusal({ ...beside, [name]: value })
    expect(message).toContain(name)
    if (value.length > 12) expect(message).not.toContain(value)
    expect(refusal(beside, [`${flagOf(name)}=${value}`])).toContain(flagOf(name))
  })
})

it('the defaults, and nothing else, are there when nothing is given', () => {
  const { settings, given } = read({})
  expect(given).toEqual([])
  expect({ ...settings, KMS_ROOT_SECRET_KEY: plain(settings.KMS_ROOT_SECRET_KEY) }).toEqual({
    KMS_LISTEN: { host: '127.0.0.1', port: 9000 },
    KMS_DATA_DIR: resolve('.kms/data'),
    KMS_ROOT_ACCESS_KEY: 'admin',
    KMS_ROOT_SECRET_KEY: 'admin',
    KMS_S3_DOMAINS: ['localhost'],
    KMS_LOG_LEVEL: 'info',
    KMS_AUTH_FAILURES_PER_MINUTE: 600,
    KMS_DRAIN_SECONDS: 10,
    KMS_AUDIT_SYNC: 'always',
    KMS_AUDIT_FULL: 'block',
    KMS_AUDIT_FILE_MIB: 64,
    KMS_AUDIT_DATA_PERCENT: 100,
    KMS_COMPAT_SERVER_INFO: true,
  })
})

describe('sources', () => {
  it('a flag wins over the environment, the environment over the file', () => {
    const file = configFile({ KMS_REGION: 'file', KMS_DRAIN_SECONDS: 1, KMS_LOG_LEVEL: 'warn' })
    const environment = { KMS_REGION: 'environment', KMS_DRAIN_SECONDS: '2' }
    const { settings, given } = read(environment, ['--config', file, '--kms-region', 'flag'])
    expect(settings).toMatchObject({ KMS_REGION: 'flag', KMS_DRAIN_SECONDS: 2, KMS_LOG_LEVEL: 'warn' })
    expect(given).toEqual(['KMS_REGION', 'KMS_LOG_LEVEL', 'KMS_DRAIN_SECONDS'])
  })

  it('a file may hold numbers, truth values and lists', () => {
    const file = configFile({ KMS_DRAIN_SECONDS: 3, KMS_COMPAT_SERVER_INFO: false, KMS_ALLOW_KEY_DIRS: ['/a,b', '/c'] })
    expect(read({}, ['--config', file]).settings).toMatchObject({
      KMS_DRAIN_SECONDS: 3,
      KMS_COMPAT_SERVER_INFO: false,
      KMS_ALLOW_KEY_DIRS: ['/a,b', '/c'],
    })
  })

  it.each([
    ['{', 'is not JSON'],
    ['[]', 'must hold one JSON object'],
    ['null', 'must hold one JSON object'],
    [{ KMS_REGION: null }, 'KMS_REGION'],
    [{ KMS_REGION: {} }, 'KMS_REGION'],
    [{ KMS_ALLOW_KEY_DIRS: [] }, 'KMS_ALLOW_KEY_DIRS'],
    [{ KMS_ALLOW_KEY_DIRS: ['/a', 'b'] }, 'KMS_ALLOW_KEY_DIRS'],
    [{ KMS_REGOIN: 'x' }, 'did you mean KMS_REGION?'],
    [{ listen: 'x' }, 'listen'],
    ['{"__proto__": {"KMS_REGION": "x"}}', '__proto__'],
    [{ KMS_SERVICE_HOST: 'x' }, 'KMS_SERVICE_HOST'],
  ])('a file %j is refused', (content, message) => {
    expect(refusal({}, ['--config', configFile(content)])).toContain(message)
  })

  it('a file that cannot be read is refused by name', () => {
    expect(refusal({}, ['--config', join(folder, 'absent.json')])).toMatch(/--config .*absent\.json cannot be read/)
  })

  it('bare flags: --kms-enable needs no value', () => {
    expect(read({}, ['--kms-enable', '--kms-backend', 'local']).settings).toMatchObject({
      RUSTFS_KMS_ENABLE: true,
      RUSTFS_KMS_BACKEND: 'local',
    })
    expect(read({}, ['--kms-enable', 'off']).settings.RUSTFS_KMS_ENABLE).toBe(false)
  })

  it.each([
    [['--kms-region'], 'needs a value'],
    [['--kms-region', '--kms-listen'], 'needs a value'],
    [['--kms-region', 'a', '--kms-region', 'b'], 'is given twice'],
    [['--kms-regoin', 'a'], 'did you mean --kms-region?'],
    [['serve'], 'flags only'],
    [['-x'], 'not a known setting'],
    [['--KMS-REGION', 'x'], 'did you mean --kms-region?'],
  ])('the command line %j is refused', (args, message) => {
    expect(refusal({}, args)).toContain(message)
  })

  it.each([['--help'], ['--version']])('%s goes before everything else', (flag) => {
    expect(readCommand({ args: ['--kms-listen', 'bad', flag], environment: { KMS_LISTEN: 'bad' } })).toEqual({
      kind: flag.slice(2),
    })
  })
})

describe('names', () => {
  it.each([
    ['KMS_LISTNE', 'KMS_LISTEN'],
    ['KMS_ALLOW_KEYDIRS', 'KMS_ALLOW_KEY_DIRS'],
    ['RUSTFS_KMS_BACKENDS', 'RUSTFS_KMS_BACKEND'],
    ['KMS_TEST_REPORT', undefined],
    ['KMS_', undefined],
    ['KMS_toString', undefined],
  ])('%s in the environment is refused (%s)', (name, suggestion) => {
    const message = refusal({ [name]: 'a-secret-value' })
    expect(message).toContain(name)
    expect(message).toContain(suggestion === undefined ? 'not a known setting' : `did you mean ${suggestion}?`)
    expect(message).not.toContain('a-secret-value')
  })

  it.each([...withoutCounterpart])('%s is refused with what to do: %s', (name, instead) => {
    expect(refusal({ [name]: 'x' })).toContain(instead)
  })

  it('service links of Kubernetes and other prefixes are not read', () => {
    const environment = {
      KMS_SERVICE_HOST: '10.0.0.1',
      KMS_SERVICE_PORT_HTTP: '9000',
      KMS_PORT: 'tcp://10.0.0.1:9000',
      KMS_PORT_9000_TCP_ADDR: '10.0.0.1',
      MY_KMS_LISTEN: 'x',
      RUSTFS_ADDRESS: 'x',
      kms_listen: 'x',
    }
    expect(read(environment).given).toEqual([])
  })

  it('flags are distinct, and every setting that has no default is optional', () => {
    expect(new Set(settingNames.map(flagOf)).size).toBe(settingNames.length)
    const { settings } = read({})
    for (const name of settingNames) expect(name in settings).toBe(settingTable[name].default !== undefined)
  })
})

describe('settings that belong together', () => {
  it.each([
    [{ KMS_ROOT_ACCESS_KEY: 'someone' }, /KMS_ROOT_ACCESS_KEY is set without KMS_ROOT_SECRET_KEY/],
    [{ KMS_ROOT_SECRET_KEY: '12345678' }, /KMS_ROOT_SECRET_KEY is set without KMS_ROOT_ACCESS_KEY/],
    [{ KMS_TLS_CERT: '/c' }, /KMS_TLS_CERT is set without KMS_TLS_KEY/],
    [{ KMS_TLS_KEY: '/c' }, /KMS_TLS_KEY is set without KMS_TLS_CERT/],
    [{ KMS_SERVER_KEY: KEY, KMS_SERVER_KEY_FILE: '/k' }, /KMS_SERVER_KEY and KMS_SERVER_KEY_FILE exclude each other/],
    [{ KMS_BACKUP_KEY: KEY, KMS_BACKUP_KEY_FILE: '/k' }, /KMS_BACKUP_KEY and KMS_BACKUP_KEY_FILE exclude each other/],
    [{ RUSTFS_KMS_KEY_DIR: '/a', RUSTFS_KMS_LOCAL_KEY_DIR: '/b' }, /RUSTFS_KMS_KEY_DIR and RUSTFS_KMS_LOCAL_KEY_DIR/],
    [{ KMS_ROOT_ACCESS_KEY: 'admin', KMS_ROOT_SECRET_KEY: 'nimda' }, /KMS_ROOT_SECRET_KEY .*is refused/],
  ])('%j is refused', (environment, message) => {
    expect(refusal(environment)).toMatch(message)
  })

  it('secrets cannot be shown by accident', () => {
    const { settings } = read({
      KMS_ROOT_ACCESS_KEY: 'someone',
      KMS_ROOT_SECRET_KEY: 'hidden-value',
      KMS_SERVER_KEY: KEY,
    })
    expect(JSON.stringify(settings)).not.toMatch(/hidden-value|BwcH/)
  })
})
