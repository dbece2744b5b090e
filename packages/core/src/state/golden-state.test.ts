import { Buffer } from 'node:buffer'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createFileCanaryStore } from '../canary/file-canary-store.ts'
import { Secret } from '../config/secret.ts'
import { createFileImportStore } from '../imports/file-import-store.ts'
import { openWrapped } from '../imports/wrapping-key.ts'
import { createServerKey } from '../seal/server-key.ts'
import { createSeededRandom, memoryDriver } from '../testing/index.ts'
import { createFileConfigStore } from './file-config-store.ts'
import type { StateDocument } from './state-document.ts'

const vectors = new URL('../../vectors/', import.meta.url)
const golden = fileURLToPath(new URL('state', vectors))
const realm = '00112233445566778899aabbccddeeff'
const keys = { current: createServerKey(Buffer.alloc(32, 7)) }
const config = {
  backend_type: 'memory',
  name: 'a',
  endpoint: 'memory://one',
  token: new Secret('golden secret'),
  default_key_id: 'alias-of-main',
  timeout_seconds: 30,
  retry_attempts: 3,
  enable_cache: true,
  max_cached_keys: 1000,
  cache_ttl_seconds: 900,
  allow_offline_decryption: false,
}
const document: StateDocument = {
  revision: 1,
  etag: '"1-0123456789abcdef"',
  desired: 'running',
  config,
  defaultKey: { name: 'alias-of-main', keyId: 'main' },
  active: realm,
  stores: new Map([
    [
      realm,
      {
        driver: 'memory',
        identity: 'a',
        config,
        firstActive: '2026-01-01T00:00:00.000Z',
        lastActive: '2026-01-02T00:00:00.000Z',
      },
    ],
  ]),
  change: {
    time: '2026-01-01T00:00:00.000Z',
    principal: 'admin',
    action: 'reconfigure',
    diff: [
      { path: 'cache_ttl_seconds', from: 300, to: 900 },
      { path: 'token', to: '***' },
    ],
  },
}

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-golden-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const open = () =>
  createFileConfigStore({
    directory,
    drivers: [memoryDriver()],
    keys,
    random: createSeededRandom('golden state'),
    onRecovered: expect.fail,
  })
const openCanaries = () =>
  createFileCanaryStore({
    directory: join(directory, 'canaries'),
    random: createSeededRandom('sample'),
    onDamaged: expect.fail,
  })

/** Comparable: secrets in the clear, maps as arrays. */
const plain = (state: StateDocument | undefined) =>
  JSON.parse(
    JSON.stringify({
      ...state,
      stores: [...(state?.stores ?? [])],
      secret: (state?.config['token'] as Secret | undefined)?.reveal(),
    }),
  )

it('the golden state document and canaries are read', async () => {
  await cp(golden, directory, { recursive: true })
  expect(plain(await (await open()).load())).toEqual(plain(document))
  const store = openCanaries()
  const canaries = await store.open(realm)
  expect(canaries.memory('main')).toEqual({ highestVersion: 2, destroyed: false })
  expect(canaries.memory('gone')).toEqual({ highestVersion: 1, destroyed: true })
  expect(
    (await canaries.sample(9)).map(({ keyId, version, envelope }) => [keyId, version, envelope.toString()]),
  ).toEqual([
    ['main', 1, 'envelope 1'],
    ['main', 2, 'envelope 2'],
  ])
  await store.close()
})

it('and are written to the byte', async () => {
  await (await open()).save(document, 0)
  const store = openCanaries()
  const canaries = await store.open(realm)
  for (const version of [1, 2]) {
    await canaries.add({
      keyId: 'main',
      version,
      envelope: Buffer.from(`envelope ${version}`),
      digest: Buffer.alloc(32, version),
    })
  }
  await canaries.add({ keyId: 'gone', version: 1, envelope: Buffer.from('envelope 3'), digest: Buffer.alloc(32, 3) })
  await canaries.markDestroyed('gone', 1)
  await store.close()
  for (const name of ['state.json', `canaries/${realm}.log`]) {
    expect(await readFile(join(directory, name), 'utf8')).toBe(await readFile(join(golden, name), 'utf8'))
  }
})

it('a golden document that waits to be confirmed is read, and written to the byte', async () => {
  const path = fileURLToPath(new URL('state-unconfirmed.json', vectors))
  const unconfirmed = {
    deadline: '2026-01-01T00:02:00.000Z',
    config: { ...config, cache_ttl_seconds: 300, token: new Secret('secret of before') },
  }
  await (await open()).save({ ...document, unconfirmed }, 0)
  expect(await readFile(join(directory, 'state.json'), 'utf8')).toBe(await readFile(path, 'utf8'))
  await rm(directory, { recursive: true })
  const store = await open()
  await cp(path, join(directory, 'state.json'))
  const loaded = await store.load()
  expect(plain(loaded)).toEqual(plain({ ...document, unconfirmed }))
  expect((loaded?.unconfirmed?.config['token'] as Secret | undefined)?.reveal()).toBe('secret of before')
})

it('the golden import token opens material, and the one that was used is used', async () => {
  await cp(golden, directory, { recursive: true })
  const random = createSeededRandom('imports')
  const store = await createFileImportStore({ directory: join(directory, 'imports'), keys, random })
  const expected = JSON.parse(await readFile(new URL('import-material.json', vectors), 'utf8')) as Record<
    'token' | 'key_name' | 'wrapped' | 'material',
    string
  >
  const ticket = await store.load(expected.token)
  if (ticket === undefined || ticket === 'used') return expect.fail('no ticket')
  expect(ticket).toMatchObject({ realm, keyName: expected.key_name, expiresAt: Date.UTC(2100, 0, 1) })
  const opened = openWrapped(Buffer.from(expected.wrapped, 'base64'), ticket.privateKey)
  expect(opened?.toString('hex')).toBe(expected.material)
  expect(await store.load('f'.repeat(32))).toBe('used')
})
