import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createAuthorizer } from './authorizer.ts'
import {
  type CredentialsError,
  createRootCredentials,
  isDefaultCredentials,
  validateCredentials,
} from './credentials.ts'

const valid = { accessKeyId: 'operator', secretAccessKey: 'correct horse battery' }

describe('validateCredentials', () => {
  it.each([
    ['the default credentials', 'admin', 'admin'],
    ['the shortest', 'abc', '12345678'],
    ['the longest', 'a'.repeat(128), 's'.repeat(128)],
    ['punctuation', 'a/b=c+d@e', 'p ä 😀 " \\ ,'],
    ['128 characters outside the BMP', 'abc', '😀'.repeat(128)],
  ])('accepts %s', (_name, accessKeyId, secretAccessKey) => {
    expect(() => validateCredentials({ accessKeyId, secretAccessKey })).not.toThrow()
  })

  it.each([
    ['a short access key', 'ab', 'secret-secret', 'accessKeyId'],
    ['a long access key', 'a'.repeat(129), 'secret-secret', 'accessKeyId'],
    ['an empty access key', '', 'secret-secret', 'accessKeyId'],
    ['a space in the access key', 'a b c', 'secret-secret', 'accessKeyId'],
    ['a line break after the access key', 'abc\n', 'secret-secret', 'accessKeyId'],
    ['a comma in the access key', 'a,b', 'secret-secret', 'accessKeyId'],
    ['an access key that is not ASCII', 'andré', 'secret-secret', 'accessKeyId'],
    ['a short secret', 'abc', 's3cr3t!', 'secretAccessKey'],
    ['a long secret', 'abc', 's'.repeat(129), 'secretAccessKey'],
    ['a line break after the secret', 'abc', 'secret-secret\n', 'secretAccessKey'],
    ['a lone surrogate', 'abc', 'secret-secret\uD800', 'secretAccessKey'],
    ['the default secret of another key', 'root', 'admin', 'secretAccessKey'],
    ['the default key in upper case', 'ADMIN', 'admin', 'secretAccessKey'],
  ])('refuses %s', (_name, accessKeyId, secretAccessKey, field) => {
    let thrown: unknown
    try {
      createRootCredentials({ accessKeyId, secretAccessKey })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'InvalidCredentials', field })
    expect(inspect(thrown, { showHidden: true })).not.toContain(`'${secretAccessKey}'`)
    expect((thrown as CredentialsError).message).not.toContain(secretAccessKey)
  })
})

describe('isDefaultCredentials', () => {
  it.each([
    ['admin', 'admin', true],
    ['admin', 'Admin', false],
    ['Admin', 'admin', false],
    ['admin', '', false],
  ])('%s/%s: %j', (accessKeyId, secretAccessKey, expected) => {
    expect(isDefaultCredentials({ accessKeyId, secretAccessKey })).toBe(expected)
  })
})

describe('createRootCredentials', () => {
  it('finds root by its access key', async () => {
    const found = await createRootCredentials(valid).find('operator')
    expect(found?.secretAccessKey).toBe(valid.secretAccessKey)
    expect(found?.principal).toEqual({ kind: 'root', name: 'operator', accessKeyId: 'operator', policies: [] })
    expect(found && createAuthorizer().authorize(found.principal, { action: 'kms:Restore' }).allowed).toBe(true)
  })

  it.each([
    ['another key', 'Operator', undefined],
    ['no key', '', undefined],
    ['a name every object has', 'constructor', undefined],
    ['its key with a session token', 'operator', 'token'],
    ['its key with an empty session token', 'operator', ''],
  ])('does not find %s', async (_name, accessKeyId, sessionToken) => {
    expect(await createRootCredentials(valid).find(accessKeyId, sessionToken)).toBeUndefined()
  })

  it('shows the secret to nobody who does not ask for it by name', async () => {
    const store = createRootCredentials(valid)
    const found = await store.find('operator')
    const shown = [
      JSON.stringify({ store, found }),
      JSON.stringify({ ...found }),
      JSON.stringify(structuredClone({ ...found })),
      inspect(store, { showHidden: true, getters: true, depth: 9 }),
      inspect(found, { showHidden: true, getters: true, depth: 9 }),
      inspect({ ...found }, { showHidden: true, getters: true, depth: 9 }),
      Object.values(found ?? {})
        .map(String)
        .join(),
    ]
    for (const text of shown) expect(text).not.toContain('horse')
  })

  it('cannot be changed afterwards', async () => {
    const settings = { ...valid }
    const store = createRootCredentials(settings)
    settings.secretAccessKey = 'something else'
    const found = await store.find('operator')
    expect(found?.secretAccessKey).toBe(valid.secretAccessKey)
    expect(() => Object.assign(found ?? {}, { secretAccessKey: 'x' })).toThrow(TypeError)
    expect(() => Object.assign(found?.principal ?? {}, { kind: 'user' })).toThrow(TypeError)
  })
})
