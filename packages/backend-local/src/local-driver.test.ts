import { Secret } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { documentOf, type Fields } from '../test/document-of.ts'
import { RAW_KEY } from '../test/scratch-store.ts'
import { localDriver } from './local-driver.ts'

const driver = localDriver({
  rootKeyDir: '/var/lib/kms/root-keys',
  environment: () => undefined,
  policy: { forbiddenDirs: [] },
})
const here = { key_dir: '/var/lib/keys' }

describe('the fields of the local driver', () => {
  it.each([
    [384, 0o600],
    [448, 0o700],
    ['0600', 0o600],
    ['600', 0o600],
    ['0700', 0o700],
    [undefined, 0o600],
  ])('read file_permissions %j as %o', (given, mode) => {
    const fields = given === undefined ? here : { ...here, file_permissions: given }
    expect(documentOf(driver, fields)['file_permissions']).toBe(mode)
  })

  it.each([
    [0o640, 'group or others'],
    ['0644', 'group or others'],
    ['604', 'group or others'],
    [600, 'file mode'],
    [-1, 'file mode'],
    [0o4600, 'file mode'],
    [384.5, 'int'],
    ['0400', 'read and write'],
    ['rw-------', 'octal'],
    ['0o600', 'octal'],
    ['00600', 'octal'],
    ['', 'octal'],
  ])('refuse file_permissions %j', (given, reason) => {
    expect(() => documentOf(driver, { ...here, file_permissions: given })).toThrow(reason)
  })

  it.each([
    ['/keys', '/keys'],
    ['/keys/', '/keys'],
    ['//var//keys/./a', '/var/keys/a'],
    ['/', '/'],
  ])('normalise key_dir %s to %s', (given, path) => {
    expect(documentOf(driver, { key_dir: given })['key_dir']).toBe(path)
    expect(driver.identity({ key_dir: given })).toBe(path)
  })

  it.each(['keys', './keys', '', '/a/../b', '/a\0b', '~/keys'])('refuse key_dir %j', (given) => {
    expect(() => documentOf(driver, { key_dir: given })).toThrow('must')
  })

  it.each(['', '1A', 'A B', 'A=B', 'Ä'])('refuse master_key_env %j', (given) => {
    expect(() => documentOf(driver, { ...here, master_key_env: given })).toThrow('environment variable')
  })

  it.each(['KMS_SERVER_KEY', 'RUSTFS_KMS_LOCAL_MASTER_KEY', 'kms_root_secret_key'])(
    'refuse master_key_env %s, a setting of the server',
    (variable) => {
      const config = documentOf(driver, { ...here, master_key_env: variable })
      expect(driver.check?.(config)).toMatchObject({ path: 'master_key_env' })
    },
  )

  it('refuse an empty master_key and a relative master_key_file', () => {
    expect(() => documentOf(driver, { ...here, master_key: '' })).toThrow('empty')
    expect(() => documentOf(driver, { ...here, master_key_file: 'key' })).toThrow('absolute')
    expect(() => documentOf(driver, {})).toThrow('key_dir')
  })
})

describe('the local driver', () => {
  it('takes the names of contract §2', () => {
    expect(driver).toMatchObject({
      type: 'local',
      aliases: ['Local'],
      fieldAliases: new Map([['key_directory', 'key_dir']]),
      secrets: [['master_key']],
      exclusive: [['master_key', 'master_key_file', 'master_key_env']],
      variants: [],
    })
    expect(driver.check?.(documentOf(driver, { ...here, master_key_env: 'MY_KEY' }))).toBeUndefined()
  })

  it.each<[Fields, boolean]>([
    [{}, false],
    [{ master_key: RAW_KEY }, true],
    [{ master_key_file: '/run/secrets/key' }, true],
    [{ master_key_env: 'MY_KEY' }, true],
  ])('summarises %j without its secrets', (fields, has) => {
    const summary = driver.summary(documentOf(driver, { ...here, ...fields }))
    expect(summary).toEqual({
      backend_type: 'local',
      key_dir: '/var/lib/keys',
      has_master_key: has,
      file_permissions: '0600',
    })
  })

  it('names its place by the directory alone, and binds secrets to it', () => {
    expect(driver.identity({})).toBeUndefined()
    expect(driver.identity({ key_dir: 7 })).toBeUndefined()
    expect(driver.identity({ key_dir: 'relative' })).toBeUndefined()
    const binding = driver.secretBinding({ ...here, master_key: new Secret('a') })
    expect(binding).toBe(driver.secretBinding({ ...here, master_key: new Secret('b'), file_permissions: 1 }))
    expect(binding).not.toBe(driver.secretBinding({ key_dir: '/elsewhere' }))
  })
})
