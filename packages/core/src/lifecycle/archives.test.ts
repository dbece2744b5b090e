import { Buffer } from 'node:buffer'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, decrypt, type Harness, local } from '../../test/manager-harness.ts'
import type { ArchiveSecret } from '../archive/archive-key.ts'
import { kmsError } from '../errors/kms-error.ts'
import { createKmsManager } from '../manager/kms-manager.ts'
import type { KmsManager, RestoreOutcome } from '../manager/manager-types.ts'
import { createMemoryCanaryStore, createMemoryStore } from '../testing/index.ts'

const key: ArchiveSecret = { key: Buffer.alloc(32, 7) }

let harness: Harness
let manager: KmsManager
beforeEach(async () => {
  harness = await createHarness()
  harness.allowImmediateDeletion = true
  manager = await harness.running()
})
afterEach(() => harness.close())

async function backup(): Promise<Buffer> {
  const { bytes } = await manager.backup(key, caller)
  const parts: Buffer[] = []
  for await (const part of bytes) parts.push(Buffer.from(part))
  return Buffer.concat(parts)
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
}

function restore(bytes: Uint8Array, how: Partial<Parameters<KmsManager['restore']>[1]> = {}): Promise<RestoreOutcome> {
  return manager.restore(inPieces(bytes), { secret: key, conflict: 'fail', dryRun: false, ...how }, caller)
}

function destroy(keyId: string): Promise<unknown> {
  return manager.keys.destroy({ key: keyId, confirmKeyId: keyId, authorize: anyone, caller })
}

const create = (name: string): Promise<unknown> => manager.keys.create({ name, authorize: anyone, caller })

async function opens({ ciphertext, plaintext }: Awaited<ReturnType<typeof dataKey>>): Promise<void> {
  expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
}

/** What there is, everywhere. */
function state(): string {
  const stores = [...harness.driver.stores].map(([place, store]) => [place, store.realm, [...store.keys]])
  return JSON.stringify([manager.status(), manager.config()?.revision, stores])
}

describe('an archive', () => {
  it('is told of with who asked for it, once it was sent to its end', async () => {
    await create('b')
    const { realm, createdAt, bytes } = await manager.backup(key, caller)
    expect({ realm, createdAt }).toEqual({ realm: harness.store('a').realm, createdAt: harness.clock.now() })
    const before = harness.events.length
    for await (const part of bytes) expect(part.length).toBeGreaterThan(0)
    expect(harness.events.slice(before)).toEqual([
      {
        event: 'kms_backed_up',
        message: 'An archive was made: 2 keys, 2 versions.',
        caller,
        realm,
      },
    ])
  })

  it('that is not taken to its end is a warning, and holds nothing up', async () => {
    const { bytes } = await manager.backup(key, caller)
    for await (const _ of bytes) break
    expect(harness.events.at(-1)).toMatchObject({
      event: 'kms_warning',
      message: 'An archive was broken off. Whoever asked for it went away.',
      caller,
    })
    await manager.stop(caller)
    expect(manager.status().status).toBe('Configured')
  })

  it('tells of what could not be read', async () => {
    await create('b')
    harness.store('a').unreadable.add('b')
    const bytes = await backup()
    expect(harness.events.at(-1)?.message).toBe('An archive was made: 1 keys, 1 versions, 1 parts could not be read.')
    expect((await restore(bytes, { dryRun: true })).restored).toMatchObject({ unreadable: ['b'], unreadableCount: 1 })
  })

  it('is made of the store in use, by a service that runs, where material can leave', async () => {
    await manager.stop(caller)
    await expect(manager.backup(key, caller)).rejects.toMatchObject({ code: 'NotRunning' })
    const other = await createHarness({ capabilities: { backup: false } })
    try {
      manager = await other.running()
      await expect(manager.backup(key, caller)).rejects.toMatchObject({ code: 'UnsupportedCapability' })
      await expect(restore(Buffer.alloc(0))).rejects.toMatchObject({ code: 'ArchiveDamaged' })
    } finally {
      await other.close()
    }
  })

  it('that cannot be read to its end is no archive, and a warning', async () => {
    const { bytes } = await manager.backup(key, caller)
    const parts: Buffer[] = []
    await expect(
      (async () => {
        for await (const part of bytes) {
          parts.push(Buffer.from(part))
          harness.store('a').keys.set('zz', undefined as never)
        }
      })(),
    ).rejects.toBeInstanceOf(TypeError)
    harness.store('a').keys.delete('zz')
    expect(harness.events.at(-1)).toMatchObject({ event: 'kms_warning', caller })
    await expect(restore(Buffer.concat(parts))).rejects.toMatchObject({ code: 'ArchiveDamaged' })
  })
})

describe('restoring into the store in use', () => {
  it('repairs what is damaged, while the service runs', async () => {
    const issued = await dataKey(manager)
    const bytes = await backup()
    harness.store('a').unreadable.add('master')
    await expect(dataKey(manager)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    const report = await restore(bytes)
    expect(report).toMatchObject({ outcome: 'restored', status: 'Running', realm: harness.store('a').realm })
    expect(report.restored).toMatchObject({ repaired: 1, restored: 0, conflictCount: 0 })
    await opens(issued)
    await dataKey(manager)
    expect(harness.events.at(-1)).toMatchObject({ event: 'kms_restored', outcome: 'success', caller })
    expect(harness.events.at(-2)).toMatchObject({
      event: 'kms_notice',
      message: expect.stringContaining('0 keys made again, 1 repaired'),
    })
  })

  it('only tells what would happen on a dry run', async () => {
    const bytes = await backup()
    await create('b')
    harness.store('a').unreadable.add('master')
    const [before, events] = [state(), harness.events.length]
    expect(await restore(bytes, { dryRun: true })).toMatchObject({ outcome: 'unchanged', restored: { repaired: 1 } })
    expect(state()).toBe(before)
    expect(harness.events.length).toBe(events)
    expect(harness.store('a').unreadable.has('master')).toBe(true)
  })

  it('brings a destroyed key back where that is asked for, and its next version is one nobody has seen', async () => {
    await create('b')
    const issued = await dataKey(manager, 'b')
    const bytes = await backup()
    await destroy('b')
    await expect(opens(issued)).rejects.toMatchObject({ code: 'KeyDestroyed' })
    const before = state()
    await expect(restore(bytes)).rejects.toMatchObject({ code: 'RestoreConflict' })
    expect((await restore(bytes, { conflict: 'skip' })).restored).toMatchObject({ kept: 1, unchanged: 1 })
    expect(state()).toBe(before)
    await restore(bytes, { conflict: 'overwrite' })
    await opens(issued)
    const renewed = await dataKey(manager, 'b')
    await opens(renewed)
    expect(renewed.ciphertext.equals(issued.ciphertext)).toBe(false)
    manager = await harness.boot()
    expect(manager.status().status).toBe('Running')
    await opens(issued)
    await opens(renewed)
  })

  it('refuses the archive of another store, and any without what it was sealed with', async () => {
    const bytes = await backup()
    await manager.reconfigure({ name: 'b' }, caller)
    const before = state()
    await expect(restore(bytes)).rejects.toMatchObject({ code: 'ForeignArchive' })
    const other = { secret: { key: Buffer.alloc(32, 8) } }
    await expect(restore(bytes, other)).rejects.toMatchObject({ code: 'ArchiveKeyMismatch' })
    await expect(restore(bytes.subarray(0, -1))).rejects.toMatchObject({ code: 'ForeignArchive' })
    await manager.reconfigure({ name: 'a' }, caller)
    await expect(restore(bytes.subarray(0, -1))).rejects.toMatchObject({ code: 'ArchiveDamaged' })
    await manager.reconfigure({ name: 'b' }, caller)
    expect(JSON.parse(state())[2]).toEqual(JSON.parse(before)[2])
    expect(await readdir(join(harness.directory, 'spool'))).toEqual([])
  })

  it('gives up keys that are nowhere any more, where that is asked for: the service starts again', async () => {
    const bytes = await backup()
    await create('b')
    await dataKey(manager, 'b')
    harness.store('a').keys.delete('b')
    await expect(restore(bytes)).rejects.toMatchObject({ code: 'RestoreConflict' })
    const { restored } = await restore(bytes, { conflict: 'skip' })
    expect(restored).toMatchObject({ lost: ['b'], lostCount: 1, tombstones: 1, unchanged: 1 })
    manager = await harness.boot()
    expect(manager.status().status).toBe('Running')
    await expect(dataKey(manager, 'b')).rejects.toMatchObject({ code: 'KeyDestroyed' })
  })

  it('leaves nothing behind when what is sent breaks off', async () => {
    const bytes = await backup()
    const broken = kmsError('InvalidRequest', { reason: 'it ended' })
    async function* half(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 10)
      throw broken
    }
    const how = { secret: key, conflict: 'fail', dryRun: false } as const
    await expect(manager.restore(half(), how, caller)).rejects.toBe(broken)
    expect(await readdir(join(harness.directory, 'spool'))).toEqual([])
  })
})

describe('restoring without a store in use', () => {
  it('makes the store again, of nothing but the archive, and the service starts with it', async () => {
    await create('b')
    const issued = [await dataKey(manager), await dataKey(manager, 'b')]
    const bytes = await backup()
    const { realm } = harness.store('a')
    const other = await createHarness()
    try {
      manager = await other.boot()
      await expect(restore(bytes)).rejects.toMatchObject({ code: 'NoConfiguration' })
      await manager.configure({ ...local, root_key: 'new' }, caller)
      expect((await restore(bytes, { dryRun: true })).restored).toMatchObject({ restored: 2, versions: 2 })
      expect(other.driver.stores.size).toBe(0)
      expect(await restore(bytes)).toMatchObject({ status: 'Configured', realm, outcome: 'restored' })
      await manager.start({ force: false }, caller)
      for (const each of issued) await opens(each)
      expect(other.store('a')).toMatchObject({ realm, rootKey: 'new' })
    } finally {
      await other.close()
    }
  })

  it('fills the place of a store that is gone, for a service that waits for it', async () => {
    const issued = await dataKey(manager)
    const bytes = await backup()
    const { realm } = harness.store('a')
    harness.driver.stores.set('a', createMemoryStore())
    manager = await harness.boot()
    expect(manager.status().status).toMatchObject({ Error: expect.stringContaining('is expected at a') as string })
    expect((await restore(bytes)).restored).toMatchObject({ restored: 1, lostCount: 0 })
    expect(harness.store('a').realm).toBe(realm)
    await manager.start({ force: false }, caller)
    await opens(issued)
    await opens(await dataKey(manager))
  })

  it('does not put another store where one was', async () => {
    const bytes = await backup()
    await manager.reconfigure({ name: 'b' }, caller)
    harness.driver.stores.set('b', createMemoryStore())
    manager = await harness.boot()
    await expect(restore(bytes)).rejects.toMatchObject({ code: 'ForeignArchive' })
    expect(harness.store('b').realm).toBeUndefined()
  })

  it('gets a version above those that were seen here, where the archive is older', async () => {
    const bytes = await backup()
    await manager.keys.rotate({ key: 'master', authorize: anyone, caller })
    const lost = await dataKey(manager)
    harness.driver.stores.set('a', createMemoryStore())
    manager = await harness.boot()
    expect((await restore(bytes)).restored).toMatchObject({ restored: 1, versions: 2 })
    await manager.start({ force: false }, caller)
    expect((await manager.keys.describe({ key: 'master', authorize: anyone })).currentVersion).toBe(3)
    await opens(await dataKey(manager))
    await expect(opens(lost)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })
})

it('a server without a place for what is sent receives nothing', async () => {
  const configStore = {
    load: async () => undefined,
    save: async () => {},
    history: async () => [],
    revision: async () => undefined,
  }
  const bare = createKmsManager({ drivers: [harness.driver], configStore, canaryStore: createMemoryCanaryStore() })
  const how = { secret: key, conflict: 'fail', dryRun: false } as const
  await expect(bare.restore(inPieces(Buffer.alloc(0)), how, caller)).rejects.toMatchObject({
    code: 'UnsupportedOperation',
  })
})
