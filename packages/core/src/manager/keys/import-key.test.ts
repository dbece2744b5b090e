import { Buffer } from 'node:buffer'
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { generateForTests } from '../../../test/wrapping-key.ts'
import { openXChaCha } from '../../bytes/aead.ts'
import { canonicalContext } from '../../context/encryption-context.ts'
import { decodeEnvelope, envelopeAad } from '../../envelope/envelope.ts'
import { kmsError } from '../../errors/kms-error.ts'
import { createFileImportStore } from '../../imports/file-import-store.ts'
import { generateWrappingKey } from '../../imports/wrapping-key.ts'
import { createServerKey, type ServerKeys } from '../../seal/server-key.ts'
import {
  createManualClock,
  createMemoryBackend,
  createMemoryCanaryStore,
  createMemoryStore,
  type ManualClock,
  type MemoryBackendOptions,
  type MemoryStore,
} from '../../testing/index.ts'
import { type KeyServer, type KeyServerOptions, openKeyServer } from '../../testing/key-server.ts'

const DAY = 86_400_000
const caller = { principal: 'root' }
const authorize = (): void => {}

let directory: string
let clock: ManualClock
let store: MemoryStore
let keys: ServerKeys
let servers: KeyServer[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-imports-'))
  clock = createManualClock(Date.UTC(2026, 0, 1))
  store = createMemoryStore()
  keys = { current: createServerKey(randomBytes(32)) }
  servers = []
})
afterEach(async () => {
  store.faults.recover()
  for (const server of servers) await server.close()
  await rm(directory, { recursive: true })
})

/** A process on the data directory. */
async function open(more: MemoryBackendOptions & Partial<KeyServerOptions> = {}): Promise<KeyServer> {
  const { store: place = store, capabilities, ...options } = more
  const server = await openKeyServer({
    backend: createMemoryBackend({
      store: place,
      clock,
      random: randomBytes,
      ...(capabilities === undefined ? {} : { capabilities }),
    }),
    canaryStore: createMemoryCanaryStore(),
    clock,
    random: randomBytes,
    importStore: await createFileImportStore({ directory, keys, random: randomBytes }),
    generateWrappingKey: generateForTests,
    ...options,
  })
  servers.push(server)
  return server
}

function wrap(material: Uint8Array, publicKey: Buffer, oaepHash = 'sha256'): Buffer {
  const key = createPublicKey({ key: publicKey, type: 'spki', format: 'der' })
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, material)
}

/** A token, and material wrapped for it. */
async function prepare(server: KeyServer, name?: string) {
  const parameters = await server.keys.importParameters({ authorize, ...(name === undefined ? {} : { name }) })
  const material = randomBytes(32)
  return { ...parameters, material, wrapped: wrap(material, parameters.publicKey) }
}

type Prepared = Pick<Awaited<ReturnType<typeof prepare>>, 'token' | 'wrapped'>

const importKey = (server: KeyServer, { token, wrapped }: Prepared, more: object = { name: 'k' }) =>
  server.keys.importKey({ token, wrapped, authorize, caller, ...more })

const refusal = (reason: RegExp): object => ({
  code: 'InvalidImportToken',
  message: expect.stringMatching(reason) as unknown,
})

const exists = (name: string): boolean => 'record' in (store.keys.get(name) ?? {})

describe('imported material', () => {
  it('is what wraps under the key', async () => {
    const server = await open()
    const prepared = await prepare(server)
    const { record } = await importKey(server, prepared, {
      name: 'k',
      description: 'ours',
      tags: new Map([['a', 'b']]),
    })
    expect(record).toMatchObject({
      keyId: 'k',
      origin: 'EXTERNAL',
      currentVersion: 1,
      state: 'Enabled',
      description: 'ours',
    })
    const context = new Map([['x', 'y']])
    const { ciphertext } = await server.data.encrypt({ key: 'k', plaintext: Buffer.from('secret'), context, authorize })
    const { headerBytes, wrapped } = decodeEnvelope(ciphertext)
    const opened = openXChaCha(prepared.material, wrapped, envelopeAad(headerBytes, canonicalContext(context)))
    expect(opened?.toString()).toBe('secret')
    expect(server.events.at(-1)).toMatchObject({ event: 'kms_key_imported', keyId: 'k', caller })
  })

  it('makes a key like any other: named by a UUID, found by its description, rotated', async () => {
    const server = await open()
    const { record } = await importKey(server, await prepare(server), { description: 'escrow' })
    expect(record.keyId).toMatch(/^[0-9a-f-]{36}$/)
    expect(record.aliases).toEqual(['escrow'])
    const rotated = await server.keys.rotate({ key: 'escrow', authorize, caller })
    expect(rotated.record).toMatchObject({ currentVersion: 2, origin: 'EXTERNAL' })
  })

  it('is zeroed when it is done with, and when it could not be used', async () => {
    const seen: Uint8Array[] = []
    const backend = createMemoryBackend({ store, clock, random: randomBytes })
    const { create } = backend
    Object.assign(backend, {
      create: (key: Parameters<typeof create>[0]) => {
        if (key.material !== undefined) seen.push(key.material)
        return create(key)
      },
    })
    const server = await open({ backend })
    await importKey(server, await prepare(server))
    await expect(importKey(server, await prepare(server))).rejects.toMatchObject({ code: 'KeyAlreadyExists' })
    expect(seen).toHaveLength(2)
    for (const bytes of seen) expect([...bytes].every((byte) => byte === 0)).toBe(true)
  })

  it('comes under RSA-4096, which is made when it is asked for', { timeout: 60_000 }, async () => {
    const server = await open({ generateWrappingKey })
    const prepared = await prepare(server)
    expect(
      createPublicKey({ key: prepared.publicKey, type: 'spki', format: 'der' }).asymmetricKeyDetails,
    ).toMatchObject({
      modulusLength: 4096,
      publicExponent: 65_537n,
    })
    expect(prepared.wrapped).toHaveLength(512)
    await importKey(server, prepared)
  })
})

describe('a token', () => {
  it('is good for a day, across restarts, and not a moment longer', async () => {
    const first = await open()
    const [good, late] = [await prepare(first), await prepare(first)]
    expect(good.validUntil).toBe(clock.now() + DAY)
    await first.close()
    const second = await open()
    clock.advance(DAY - 1)
    await importKey(second, good)
    clock.advance(1)
    await expect(importKey(second, late, { name: 'l' })).rejects.toMatchObject(refusal(/expired/))
    expect(exists('l')).toBe(false)
  })

  it('is good once, across restarts', async () => {
    const first = await open()
    const prepared = await prepare(first)
    await importKey(first, prepared)
    await expect(importKey(first, prepared, { name: 'l' })).rejects.toMatchObject(refusal(/used already/))
    await first.close()
    await expect(importKey(await open(), prepared, { name: 'l' })).rejects.toMatchObject(refusal(/used already/))
    expect(exists('l')).toBe(false)
  })

  it('is good once among many who use it at the same time, in several processes', async () => {
    const [one, two] = [await open(), await open()] as const
    const prepared = await prepare(one)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => importKey(i % 2 === 0 ? one : two, prepared, { name: `k${i}` })),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(refusal(/used already/))
    }
    expect([...store.keys.keys()]).toHaveLength(1)
  })

  it('is not used up by what makes no key', async () => {
    const server = await open()
    await server.keys.create({ name: 'taken', authorize, caller })
    const prepared = await prepare(server)
    await expect(importKey(server, prepared, { name: 'taken' })).rejects.toMatchObject({ code: 'KeyAlreadyExists' })
    await expect(importKey(server, prepared, { name: 'a b' })).rejects.toMatchObject({ code: 'ValidationError' })
    await expect(importKey(server, { ...prepared, wrapped: Buffer.alloc(256) })).rejects.toMatchObject({
      code: 'ValidationError',
    })
    await importKey(server, prepared)
  })

  it('is used up by what may have made one', async () => {
    const server = await open()
    const prepared = await prepare(server)
    store.faults.fail('create', kmsError('BackendTimeout', { seconds: 30 }))
    await expect(importKey(server, prepared)).rejects.toMatchObject({ code: 'BackendTimeout' })
    store.faults.recover('create')
    await expect(importKey(server, prepared)).rejects.toMatchObject(refusal(/used already/))
  })

  it.each(['', 'nonsense', '../../state', 'A'.repeat(32), '0'.repeat(32), `${'0'.repeat(31)}/`])(
    'that is not ours is refused: %j',
    async (token) => {
      const server = await open()
      const prepared = await prepare(server)
      await expect(importKey(server, { ...prepared, token })).rejects.toMatchObject(refusal(/not known here/))
    },
  )

  it('of another server, or of another server key, is not known', async () => {
    const server = await open()
    const prepared = await prepare(server)
    keys = { current: createServerKey(randomBytes(32)) }
    await expect(importKey(await open(), prepared)).rejects.toMatchObject(refusal(/not known here/))
  })

  it('stays good while the server key changes', async () => {
    const prepared = await prepare(await open())
    keys = { current: createServerKey(randomBytes(32)), previous: keys.current }
    expect((await importKey(await open(), prepared)).record.keyId).toBe('k')
  })

  it('is for the key store it was given for', async () => {
    const prepared = await prepare(await open())
    const elsewhere = await open({ store: createMemoryStore() })
    await expect(importKey(elsewhere, prepared)).rejects.toMatchObject(refusal(/another key store/))
  })

  it('with a name is for that name', async () => {
    const server = await open()
    const prepared = await prepare(server, 'mine')
    for (const more of [{ name: 'other' }, {}]) {
      await expect(importKey(server, prepared, more)).rejects.toMatchObject(refusal(/another key name/))
    }
    expect((await importKey(server, prepared, { name: 'mine' })).record.keyId).toBe('mine')
  })

  it('whose file was changed is not known', async () => {
    const server = await open()
    const prepared = await prepare(server, 'mine')
    const path = join(directory, `${prepared.token}.json`)
    const text = await readFile(path, 'utf8')
    for (const [from, to] of [
      ['"key_name":"mine"', '"key_name":null'],
      [/"expires_at":\d/, '"expires_at":9'],
      [/"realm":"./, store.realm?.startsWith('0') ? '"realm":"1' : '"realm":"0'],
      [/"\$sealed":"(.{40})./, (found: string) => `${found.slice(0, -1)}${found.endsWith('A') ? 'B' : 'A'}`],
      ['{', ''],
    ] as const) {
      await writeFile(path, text.replace(from, to as string))
      await expect(importKey(server, prepared, { name: 'mine' })).rejects.toMatchObject(
        refusal(/not known here|expired/),
      )
    }
    await writeFile(path, text)
    await importKey(server, prepared, { name: 'mine' })
  })
})

describe('material that is not as it must be', () => {
  it.each<[string, (publicKey: Buffer) => Buffer]>([
    ['31 bytes', (key) => wrap(randomBytes(31), key)],
    ['33 bytes', (key) => wrap(randomBytes(33), key)],
    ['no bytes', (key) => wrap(Buffer.alloc(0), key)],
    ['wrapped with SHA-1', (key) => wrap(randomBytes(32), key, 'sha1')],
    ['not wrapped', () => randomBytes(32)],
    ['nothing', () => Buffer.alloc(0)],
    ['cut short', (key) => wrap(randomBytes(32), key).subarray(1)],
    ['changed on the way', (key) => wrap(randomBytes(32), key).fill(0, 7, 9)],
  ])('is refused without a word on why: %s', async (_, make) => {
    const server = await open()
    const prepared = await prepare(server)
    const error = await importKey(server, { ...prepared, wrapped: make(prepared.publicKey) }).catch((e: unknown) => e)
    expect(error).toMatchObject({
      code: 'ValidationError',
      message: `encrypted_key_material: must be 32 bytes, encrypted under the public key of the token with RSAES-OAEP and SHA-256`,
    })
    expect(exists('k')).toBe(false)
  })
})

describe('rights and abilities', () => {
  const denied = kmsError('AccessDenied', { reason: 'no' })
  const refuse = (): never => {
    throw denied
  }

  it('come first', async () => {
    const server = await open()
    await expect(server.keys.importParameters({ name: 'k', authorize: refuse })).rejects.toBe(denied)
    expect(await readdir(directory)).toEqual([])
    const prepared = await prepare(server)
    await expect(importKey(server, prepared, { name: 'k', authorize: refuse })).rejects.toBe(denied)
    await expect(importKey(server, { token: 'x', wrapped: Buffer.alloc(1) }, { authorize: refuse })).rejects.toBe(
      denied,
    )
    await expect(server.keys.importParameters({ name: 'a b', authorize })).rejects.toMatchObject({
      code: 'ValidationError',
    })
  })

  it('a backend that takes no material is 501', async () => {
    const server = await open({ capabilities: { import: false } })
    const unsupported = { code: 'UnsupportedCapability' }
    await expect(server.keys.importParameters({ authorize })).rejects.toMatchObject(unsupported)
    await expect(importKey(server, { token: 'x', wrapped: Buffer.alloc(1) })).rejects.toMatchObject(unsupported)
  })

  it('a server that keeps no tokens is 501', async () => {
    const server = await openKeyServer({
      backend: createMemoryBackend({ store, clock, random: randomBytes }),
      canaryStore: createMemoryCanaryStore(),
      clock,
      random: randomBytes,
    })
    servers.push(server)
    await expect(server.keys.importParameters({ authorize })).rejects.toMatchObject({ code: 'UnsupportedOperation' })
  })
})

describe('what is kept of tokens', () => {
  it('is no private key in the clear, nor any after the import, and goes in the end', async () => {
    const server = await open()
    const generated: Buffer[] = []
    const observed = await open({
      generateWrappingKey: async () => {
        const pair = await generateForTests()
        generated.push(pair.privateKey, Buffer.from(pair.privateKey))
        return pair
      },
    })
    const prepared = await prepare(observed)
    const [given, copy] = generated as [Buffer, Buffer]
    expect([...given].every((byte) => byte === 0)).toBe(true)
    const file = await readFile(join(directory, `${prepared.token}.json`))
    expect(file.includes(copy.subarray(40, 60))).toBe(false)
    expect(file.includes(copy.toString('base64').slice(40, 80))).toBe(false)
    await importKey(server, prepared)
    expect(await readdir(directory)).toEqual([`${prepared.token}.used`])
    clock.advance(2 * DAY)
    await expect.poll(() => readdir(directory)).toEqual([])
    await expect(importKey(server, prepared, { name: 'l' })).rejects.toMatchObject(refusal(/not known here/))
  })

  it('is bounded: of many that wait, the newest are good', async () => {
    const server = await open()
    const all: Awaited<ReturnType<typeof prepare>>[] = []
    for (let i = 0; i < 70; i++) {
      clock.advance(1000)
      all.push(await prepare(server))
    }
    expect(await readdir(directory)).toHaveLength(64)
    await expect(importKey(server, all[5] as Prepared)).rejects.toMatchObject(refusal(/not known here/))
    await importKey(server, all[6] as Prepared)
  })

  it('is swept at the next start too', async () => {
    const prepared = await prepare(await open())
    expect(await readdir(directory)).toEqual([`${prepared.token}.json`])
    clock = createManualClock(clock.now() + 2 * DAY)
    const later = await open()
    const next = await prepare(later)
    expect(await readdir(directory)).toEqual([`${next.token}.json`])
  })
})

it('wrapping keys are made one at a time', async () => {
  let width = 0
  let widest = 0
  const server = await open({
    async generateWrappingKey() {
      width++
      widest = Math.max(widest, width)
      await new Promise((resolve) => setImmediate(resolve))
      width--
      return generateForTests()
    },
  })
  await Promise.all(Array.from({ length: 5 }, () => prepare(server)))
  expect(widest).toBe(1)
})

it('one that could not be made does not keep the next from being made', async () => {
  let failing = true
  const server = await open({
    generateWrappingKey: () => (failing ? Promise.reject(kmsError('InternalError')) : generateForTests()),
  })
  await expect(server.keys.importParameters({ authorize })).rejects.toMatchObject({ code: 'InternalError' })
  failing = false
  expect((await prepare(server)).token).toMatch(/^[0-9a-f]{32}$/)
})
