import { type KeyBackend, type KeyRecord, type UnwrapRequest } from '@kms/core'
import { describeKeyBackend } from '@kms/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { createFakeVault, type FakeVault } from '../test/fake-vault.ts'
import { newKey } from '../test/live-vault.ts'
import { ABANDONED_MS } from './keys/key-reader.ts'

// The same suite as against a real server, for machines that have none.
describeKeyBackend('vault, with Transit and KV in memory', () => {
  const vault = createFakeVault()
  return {
    open: async () => vault.open().backend,
    reopen: async () => vault.open().backend,
    retiresIds: true,
    async damage(keyId) {
      vault.kv.set(keyId, { version: 7, data: { format: 1, kind: 'key' }, writtenAt: 0 })
    },
    cleanup: async () => {},
  }
})

let vault: FakeVault
beforeEach(() => {
  vault = createFakeVault()
})

const aad = Buffer.alloc(32, 1)

async function wrapUnder(backend: KeyBackend, record: KeyRecord): Promise<UnwrapRequest> {
  const { keyId, currentVersion: version, materialId } = record
  const wrapped = await backend.wrap({ keyId, version, plaintext: Buffer.from('kept'), aad })
  return { keyId, version, algorithm: backend.algorithm, materialId, wrapped, aad }
}

/** Every request of a verb at which its process may die, and how. */
async function deaths(count: (backend: KeyBackend) => Promise<unknown>): Promise<[number, 'before' | 'after'][]> {
  const dry = createFakeVault()
  const setup = dry.open()
  await prepare(setup.backend)
  const process = dry.open()
  await count(process.backend)
  return Array.from({ length: process.requests }, (_, at) => [
    [at, 'before'] as [number, 'before'],
    [at, 'after'] as [number, 'after'],
  ]).flat()
}

/** A store with a key of two versions and two aliases, and another one. */
async function prepare(backend: KeyBackend): Promise<{ record: KeyRecord; sealed: readonly UnwrapRequest[] }> {
  await backend.create(newKey('other', { aliases: ['others'] }))
  const created = await backend.create(newKey('a', { aliases: ['one', 'two'], description: 'before' }))
  const first = await wrapUnder(backend, created)
  const record = await backend.rotate('a', created.etag)
  return { record, sealed: [first, await wrapUnder(backend, record)] }
}

const settled = ({ etag: _, ...record }: KeyRecord) => record
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )

describe('a process that dies while it makes a key', () => {
  const make = (backend: KeyBackend) => backend.create(newKey('new', { aliases: ['x', 'y'], description: 'd' }))

  it('leaves it made, or nothing that lasts', async () => {
    for (const [at, when] of await deaths(make)) {
      vault = createFakeVault()
      const { record } = await prepare(vault.open().backend)
      const process = vault.open()
      process.dieAt(at, when)
      const outcome = await codeOf(make(process.backend))
      const label = `${when} request ${at}`

      // Another server, at once: not half a key.
      const { backend } = vault.open()
      const early = await codeOf(backend.describe('new'))
      expect(['ok', 'KeyNotFound'], label).toContain(early)
      if (outcome === 'ok') expect(early, label).toBe('ok')
      expect(settled(await backend.describe('a')), label).toEqual(settled(record))

      // And when whoever began it has surely given up.
      vault.clock.advance(ABANDONED_MS)
      const { backend: later } = vault.open()
      const found = await codeOf(later.describe('new'))
      if (early === 'ok') expect(found, label).toBe('ok')
      if (found === 'ok') {
        expect(await later.describe('x'), label).toEqual(await later.describe('new'))
        expect(await later.describe('new'), label).toMatchObject({
          aliases: ['x', 'y'],
          state: 'Enabled',
          origin: 'KMS',
        })
        expect((await later.unwrap(await wrapUnder(later, await later.describe('new')))).toString()).toBe('kept')
      } else {
        for (const alias of ['x', 'y']) expect(await codeOf(later.describe(alias)), label).toBe('KeyNotFound')
        expect(vault.keys.has('new'), label).toBe(false)
        expect(await codeOf(make(later)), label).toBe('ok')
      }
      const { keys, unreadable } = await later.list({ limit: 10 })
      expect([keys.map(({ keyId }) => keyId), unreadable], label).toEqual([['a', 'new', 'other'], []])
    }
  })
})

describe('a process that dies while it changes a key', () => {
  it('leaves the whole old record or the whole new one, and names that mean what the record says', async () => {
    const change = (backend: KeyBackend, { etag }: KeyRecord) =>
      backend.update('a', { description: 'after', aliases: ['two', 'three'], state: 'Disabled' }, etag)
    for (const [at, when] of await deaths(async (backend) => change(backend, await backend.describe('a')))) {
      vault = createFakeVault()
      const { record, sealed } = await prepare(vault.open().backend)
      const process = vault.open()
      process.dieAt(at, when)
      const outcome = await codeOf(change(process.backend, record))
      const label = `${when} request ${at}`
      for (const wait of [0, ABANDONED_MS]) {
        vault.clock.advance(wait)
        const { backend } = vault.open()
        const found = await backend.describe('a')
        const isNew = found.description === 'after'
        if (outcome === 'ok') expect(isNew, label).toBe(true)
        const expected = isNew
          ? { ...settled(record), description: 'after', aliases: ['two', 'three'], state: 'Disabled' }
          : settled(record)
        expect(settled(found), label).toEqual(expected)
        for (const alias of ['one', 'two', 'three']) {
          expect(await codeOf(backend.describe(alias)), `${label}: ${alias}`).toBe(
            found.aliases.includes(alias) ? 'ok' : 'KeyNotFound',
          )
        }
        for (const each of sealed) expect((await backend.unwrap(each)).toString(), label).toBe('kept')
      }
      // A name that is not an alias any more is free.
      const { backend } = vault.open()
      const { aliases } = await backend.describe('a')
      const free = aliases.includes('one') ? 'three' : 'one'
      expect(await codeOf(backend.create(newKey(free))), label).toBe('ok')
    }
  })

  it('rotates it or does not, and what was wrapped opens', async () => {
    const rotate = (backend: KeyBackend, { etag }: KeyRecord) => backend.rotate('a', etag)
    for (const [at, when] of await deaths(async (backend) => rotate(backend, await backend.describe('a')))) {
      vault = createFakeVault()
      const { record, sealed } = await prepare(vault.open().backend)
      const process = vault.open()
      process.dieAt(at, when)
      const outcome = await codeOf(rotate(process.backend, record))
      const label = `${when} request ${at}`
      const { backend } = vault.open()
      const found = await backend.describe('a')
      expect(found.currentVersion === 2 || found.currentVersion === 3, label).toBe(true)
      if (outcome === 'ok') expect(found.currentVersion, label).toBe(3)
      expect(found, label).toMatchObject({ description: 'before', aliases: ['one', 'two'], state: 'Enabled' })
      for (const each of [...sealed, await wrapUnder(backend, found)]) {
        expect((await backend.unwrap(each)).toString(), label).toBe('kept')
      }
    }
  })

  it('destroys it or does not, and finishes what was begun', async () => {
    const destroy = (backend: KeyBackend, { etag }: KeyRecord) => backend.destroy('a', etag)
    for (const [at, when] of await deaths(async (backend) => destroy(backend, await backend.describe('a')))) {
      vault = createFakeVault()
      const { record, sealed } = await prepare(vault.open().backend)
      const process = vault.open()
      process.dieAt(at, when)
      const outcome = await codeOf(destroy(process.backend, record))
      const label = `${when} request ${at}`
      const { backend } = vault.open()
      const early = await codeOf(backend.describe('a'))
      if (outcome === 'ok') expect(early, label).toBe('KeyDestroyed')
      if (early === 'ok') {
        for (const each of sealed) expect((await backend.unwrap(each)).toString(), label).toBe('kept')
        expect(vault.keys.get('a')?.deletionAllowed, label).toBe(false)
        continue
      }
      expect(early, label).toBe('KeyDestroyed')
      vault.clock.advance(ABANDONED_MS)
      const { backend: later } = vault.open()
      expect(await codeOf(later.describe('a')), label).toBe('KeyDestroyed')
      expect(vault.keys.has('a'), label).toBe(false)
      expect(vault.kv.get('a')?.data, label).toMatchObject({ kind: 'tombstone', last_version: 2, pending: false })
      for (const each of sealed) expect(await codeOf(later.unwrap(each)), label).toBe('KeyDestroyed')
      expect(await codeOf(later.create(newKey('a'))), label).toBe('KeyIdRetired')
      for (const alias of ['one', 'two']) expect(await codeOf(later.create(newKey(alias))), label).toBe('ok')
    }
  })
})

describe('what is half done', () => {
  it('is left alone while whoever began it may still be at it', async () => {
    const process = vault.open()
    process.dieAt(3, 'after')
    await codeOf(process.backend.create(newKey('new')))
    const { backend } = vault.open()
    for (const wait of [0, ABANDONED_MS - 1]) {
      vault.clock.advance(wait)
      expect(await codeOf(backend.describe('new'))).toBe('KeyNotFound')
      expect(await codeOf(backend.create(newKey('new')))).toBe('KeyAlreadyExists')
      expect(await codeOf(backend.create(newKey('b', { aliases: ['new'] })))).toBe('KeyAlreadyExists')
      expect((await backend.list({ limit: 10 })).keys).toEqual([])
    }
  })

  it('is finished by one of several who come by', async () => {
    const process = vault.open()
    process.dieAt(3, 'after')
    await codeOf(process.backend.create(newKey('new')))
    expect(vault.keys.has('new')).toBe(true)
    vault.clock.advance(ABANDONED_MS)
    const others = Array.from({ length: 5 }, () => vault.open().backend)
    await Promise.all(others.map((backend) => codeOf(backend.describe('new'))))
    const records = await Promise.all(others.map((backend) => backend.describe('new')))
    expect(new Set(records.map(({ etag }) => etag)).size).toBe(1)
  })
})

describe('keys made in Transit by somebody else', () => {
  const made = (name: string, says: Record<string, unknown> = {}): void => {
    vault.keys.set(name, { made: [1_700_000_000], deletionAllowed: false, says })
  }

  it('are adopted as they are, and get a record with the first change', async () => {
    made('theirs')
    const { backend } = vault.open()
    const record = await backend.describe('theirs')
    expect(record).toMatchObject({
      keyId: 'theirs',
      origin: 'EXTERNAL',
      adopted: true,
      state: 'Enabled',
      createdAt: 1_700_000_000_000,
      aliases: [],
    })
    expect(vault.kv.has('theirs')).toBe(false)
    const changed = await backend.update('theirs', { description: 'ours to say', aliases: ['t'] }, record.etag)
    expect(changed).toMatchObject({ adopted: true, origin: 'EXTERNAL', description: 'ours to say' })
    expect(await vault.open().backend.describe('t')).toEqual(changed)
    await expect(backend.rotate('theirs', record.etag)).rejects.toMatchObject({ code: 'PreconditionFailed' })
    const rotated = await backend.rotate('theirs', changed.etag)
    expect(rotated.currentVersion).toBe(2)
    await expect(backend.destroy('theirs', rotated.etag)).rejects.toMatchObject({ code: 'KeyAdopted' })
    expect(vault.keys.get('theirs')?.deletionAllowed).toBe(false)
  })

  it('keep their name: nothing is made over one', async () => {
    made('theirs')
    const { backend } = vault.open()
    await expect(backend.create(newKey('theirs'))).rejects.toMatchObject({ code: 'KeyAlreadyExists' })
    await expect(backend.create(newKey('b', { aliases: ['theirs'] }))).rejects.toMatchObject({
      code: 'KeyAlreadyExists',
    })
    expect((await backend.list({ limit: 10 })).keys.map(({ keyId }) => keyId)).toEqual(['theirs'])
  })

  it('win over an alias of the same name, which is told once', async () => {
    const process = vault.open()
    const { backend } = process
    await backend.create(newKey('ours', { aliases: ['name'] }))
    made('name')
    expect(await backend.describe('name')).toMatchObject({ keyId: 'name', adopted: true })
    await backend.list({ limit: 10 })
    expect(process.warnings).toEqual([expect.stringContaining('"name" is an alias of key "ours"')])
  })

  it('do not bring back what was destroyed', async () => {
    const { backend } = vault.open()
    const { etag } = await backend.create(newKey('gone'))
    await backend.destroy('gone', etag)
    made('gone')
    await expect(backend.describe('gone')).rejects.toMatchObject({ code: 'KeyDestroyed' })
    await expect(backend.create(newKey('gone'))).rejects.toMatchObject({ code: 'KeyIdRetired' })
    expect(await backend.list({ limit: 10 })).toEqual({ keys: [], unreadable: [] })
    // It is somebody else's now, and not removed either.
    vault.clock.advance(ABANDONED_MS)
    await codeOf(backend.describe('gone'))
    expect(vault.keys.has('gone')).toBe(true)
  })

  it.each([
    ['exportable', 'is exportable'],
    ['allow_plaintext_backup', 'allows plaintext backups'],
  ])('that are %s get a warning, once', async (property, text) => {
    made('loose', { [property]: true })
    const process = vault.open()
    for (let i = 0; i < 3; i++) expect(await process.backend.describe('loose')).toMatchObject({ state: 'Enabled' })
    expect(process.warnings).toEqual([expect.stringContaining(text)])
  })

  it('that cannot be used are listed with the reason, and refuse everything', async () => {
    made('rsa', { type: 'rsa-2048' })
    const { backend } = vault.open()
    const record = await backend.describe('rsa')
    expect(record).toMatchObject({ state: 'Unavailable', problem: expect.stringContaining('rsa-2048') })
    expect((await backend.list({ limit: 10 })).keys).toEqual([record])
    const request = { keyId: 'rsa', version: 1, aad }
    const { algorithm } = backend
    for (const call of [
      () => backend.wrap({ ...request, plaintext: aad }),
      () => backend.unwrap({ ...request, wrapped: aad, algorithm, materialId: record.materialId }),
      () => backend.update('rsa', { description: 'x' }, record.etag),
      () => backend.rotate('rsa', record.etag),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'KeyUnavailable',
        message: expect.stringContaining('rsa-2048'),
      })
    }
  })
})

describe('versions', () => {
  it('that may no longer decrypt say so', async () => {
    const { backend } = vault.open()
    const { record, sealed } = await prepare(backend)
    const says = vault.keys.get('a')?.says as Record<string, unknown>
    says['min_decryption_version'] = 2
    expect((await vault.open().backend.describe('a')).oldestVersion).toBe(2)
    // Transit itself refuses; the fake would not.
    vault.keys.get('a')?.made.splice(0, 1, 0)
    await expect(backend.unwrap(sealed[0] as UnwrapRequest)).rejects.toMatchObject({
      code: 'KeyUnavailable',
      message: expect.stringContaining('min_decryption_version is 2'),
    })
    says['min_available_version'] = 2
    await expect(backend.unwrap(sealed[0] as UnwrapRequest)).rejects.toMatchObject({
      code: 'KeyUnavailable',
      message: expect.stringContaining('trimmed'),
    })
    expect(record.currentVersion).toBe(2)
  })

  it('made in Vault itself are seen within 5 s', async () => {
    const { backend } = vault.open()
    const record = await backend.create(newKey('a'))
    vault.keys.get('a')?.made.push(1_800_000_000)
    const request = { keyId: 'a', plaintext: aad, aad }
    vault.clock.advance(4999)
    await backend.wrap({ ...request, version: record.currentVersion })
    vault.clock.advance(1)
    await expect(backend.wrap({ ...request, version: 1 })).rejects.toMatchObject({ code: 'KeyVersionNotCurrent' })
    expect(await backend.describe('a')).toMatchObject({ currentVersion: 2, rotatedAt: 1_800_000_000_000 })
    await backend.wrap({ ...request, version: 2 })
    await expect(backend.update('a', { description: 'x' }, record.etag)).rejects.toMatchObject({
      code: 'PreconditionFailed',
    })
  })
})
