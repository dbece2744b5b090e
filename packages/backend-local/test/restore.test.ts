import { createHash } from 'node:crypto'
import { chmod, copyFile, cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchiveEntry, ArchiveSource, KeyBackend, RestoreOptions, RestoreReport, UnwrapRequest } from '@kms/core'
import { archiveOf, heldArchive, nothingSeen } from '@kms/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fields } from './document-of.ts'
import { expectWhole, fill, resealed, rootChangeOf, roots, storeJson, wrapUnder } from './rotations.ts'
import { copyPrivately, expectRefusal, RAW_KEY, type Scratch, scratchStore } from './scratch-store.ts'

const none = { aliases: [], description: '', tags: new Map<string, string>() }

let scratch: Scratch
let backend: KeyBackend
let sealed: readonly UnwrapRequest[]
let archive: ArchiveSource
let other: Scratch
beforeEach(async () => {
  scratch = await scratchStore()
  other = await scratchStore()
  backend = await scratch.backend()
  sealed = await fill(backend)
  archive = heldArchive(backend.realm, await archiveOf(backend))
})
afterEach(async () => {
  await scratch.cleanup()
  await other.cleanup()
})

function restore(source: ArchiveSource, options: Partial<RestoreOptions> = {}): Promise<RestoreReport | undefined> {
  const how = { conflict: 'fail', dryRun: false, seen: nothingSeen, ...options } as const
  return backend.restore?.(source, how) ?? Promise.resolve(undefined)
}

/** Everything that is in a directory, and nothing of when. */
async function contentOf(directory: string): Promise<readonly string[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = found.map(async (each) => {
    const path = join(each.parentPath, each.name)
    return `${path} ${
      each.isFile()
        ? createHash('sha256')
            .update(await readFile(path))
            .digest('hex')
        : ''
    }`
  })
  return (await Promise.all(files)).toSorted()
}

/** An archive during whose `count`-th reading something happens. */
function during(count: number, act: () => Promise<unknown>): ArchiveSource {
  let read = 0
  return {
    header: archive.header,
    async *entries() {
      yield* archive.entries()
      if (++read === count) await act()
    },
  }
}

describe('a restore into an empty place', () => {
  it.each(Object.entries(roots))('makes the store under the root key that is named there: %s', async (_, fields) => {
    expect(await other.restore(archive, fields)).toMatchObject({ restored: 2, versions: 3, tombstones: 1 })
    const { backend: restored } = await other.open(fields, { mayInitialise: false, expectedRealm: backend.realm })
    await expectWhole(restored, sealed)
    expect(await storeJson(other.keyDir)).toMatchObject({ realm: backend.realm })
    // Its keys are its own: neither the root key nor a KEK came with the archive.
    expect((await storeJson(other.keyDir)).current_kek).not.toBe((await storeJson(scratch.keyDir)).current_kek)
    const refusal = fields['master_key'] === undefined ? 'ValidationError' : 'RootKeyMismatch'
    if (fields['master_key'] !== RAW_KEY) await expectRefusal(other.open(), refusal)
  })

  it.each<[string, (place: string) => Promise<unknown>]>([
    ['is not there', async () => {}],
    ['is empty', (place) => mkdir(place)],
    [
      'holds what a restore left that was cut short',
      async (place) => {
        await mkdir(join(place, '.restore-0123456789abcdef', 'keys'), { recursive: true })
        await writeFile(join(place, '.restore-0123456789abcdef', 'keys', 'plain.json'), 'x')
      },
    ],
  ])('takes one that %s', async (_, prepare) => {
    await prepare(other.keyDir)
    await other.restore(archive)
    const restored = await other.backend()
    await expectWhole(restored, sealed)
    await restored.create({ ...none, keyId: 'next' })
    expect((await readdir(other.keyDir)).filter((name) => name.startsWith('.restore-'))).toEqual([])
  })

  it('takes nothing that is somebody else’s', async () => {
    await mkdir(other.keyDir)
    await writeFile(join(other.keyDir, 'theirs'), '')
    await expectRefusal(other.restore(archive), 'StoreNotOurs')
    await rm(other.keyDir, { recursive: true })
    await symlink(scratch.root, other.keyDir)
    await expectRefusal(other.restore(archive), 'ValidationError')
    await rm(other.keyDir)
    const stranger = await other.backend()
    const before = await contentOf(other.root)
    await expectRefusal(other.restore(archive), 'ForeignArchive', stranger.realm)
    expect(await contentOf(other.root)).toEqual(before)
    await rm(other.keyDir, { recursive: true })
    await expectRefusal(other.restore(archive, {}, { expectedRealm: stranger.realm }), 'ForeignArchive')
    await expectRefusal(other.restore(archive, { key_dir: '/etc/kms' }), 'PolicyViolation')
    expect(await contentOf(other.keyDir)).toEqual([])
  })

  it('looks without leaving a trace', async () => {
    expect(await other.restore(archive, roots['generated'], { dryRun: true })).toMatchObject({ restored: 2 })
    expect(await readdir(other.root)).toEqual([])
  })

  it('of an archive that is damaged near its end leaves nothing', async () => {
    const broken: ArchiveSource = {
      ...archive,
      async *entries() {
        yield* archive.entries()
        throw Object.assign(new Error('cut short'), { code: 'ArchiveDamaged' })
      },
    }
    await expect(other.restore(broken)).rejects.toThrow('cut short')
    let read = 0
    const later: ArchiveSource = {
      ...archive,
      async *entries() {
        yield* archive.entries()
        // While the files are being made.
        if (++read === 4) throw new Error('the disk of the spool failed')
      },
    }
    await expect(other.restore(later, roots['generated'])).rejects.toThrow('the disk of the spool failed')
    expect(await readdir(other.keyDir)).toEqual([])
    expect(await readdir(other.rootKeyDir)).toEqual([])
    // What it says of material is checked, too.
    const [version] = (await archiveOf(backend)).filter((entry) => entry.kind === 'version')
    const forged = heldArchive(
      backend.realm,
      (await archiveOf(backend)).map(
        (entry): ArchiveEntry =>
          entry.kind === 'version' && entry.keyId === version?.keyId ? { ...entry, material: Buffer.alloc(32) } : entry,
      ),
    )
    await expectRefusal(other.restore(forged), 'ArchiveDamaged')
    expect(await readdir(other.keyDir)).toEqual([])
  })

  it('uses the generated root key of before where that is still there', async () => {
    const { backend: generated } = await other.open(roots['generated'])
    await fill(generated)
    const own = heldArchive(generated.realm, await archiveOf(generated))
    const copy = join(other.root, 'copy')
    await copyPrivately(other.keyDir, copy)
    await rm(other.keyDir, { recursive: true })
    await other.restore(own, roots['generated'])
    // Both open: with another root key, the copy would be lost.
    for (const key_dir of [other.keyDir, copy]) {
      const { keys } = await (await other.backend({ ...roots['generated'], key_dir })).list({ limit: 10 })
      expect(keys.length).toBeGreaterThan(0)
    }
  })
})

describe('a restore into a store that is in use', () => {
  it('repairs what is damaged or lost, of any kind', async () => {
    const keys = join(scratch.keyDir, 'keys')
    const names = await readdir(keys, { recursive: true })
    const files = names.filter((name) => name.endsWith('.json'))
    for (const file of files) {
      const path = join(keys, file)
      const bytes = await readFile(path)
      for (const damage of [() => rm(path), () => writeFile(path, ''), () => writeFile(path, bytes.subarray(0, -9))]) {
        await damage()
        // Others read what is there while it is being restored.
        backend = await scratch.backend()
        await restore(archive)
        await expectWhole(backend, sealed)
      }
    }
    expect(files.length).toBe(8)
    expect((await restore(archive))?.unchanged).toBe(2)
  })

  it('does not wait for a store that is being written to, and is not done on what has changed since', async () => {
    await backend.update('plain', { description: 'since' }, (await backend.describe('plain')).etag)
    const changing = during(4, () => backend.create({ ...none, keyId: 'bystander' }))
    expect(await restore(changing, { conflict: 'overwrite' })).toMatchObject({ overwritten: 1, unchanged: 1 })
    await backend.describe('bystander')
    await backend.update('plain', { description: 'since' }, (await backend.describe('plain')).etag)
    await backend.update('Orders', { description: 'since' }, (await backend.describe('Orders')).etag)
    const before = await backend.describe('Orders')
    const meeting = during(4, () => backend.rotate('Orders', before.etag))
    await expectRefusal(restore(meeting, { conflict: 'overwrite' }), 'StoreChanged', 'Orders')
    expect(await backend.describe('Orders')).toMatchObject({ description: 'since', currentVersion: 3 })
    expect((await readdir(scratch.keyDir)).sort()).toEqual(['keys', 'store.json'])
  })

  it('is not done on what was taken meanwhile by another server', async () => {
    const third = await scratch.backend()
    await backend.destroy('Orders', (await backend.describe('Orders')).etag)
    const meeting = during(4, () => third.create({ ...none, keyId: 'shop' }))
    await expectRefusal(restore(meeting, { conflict: 'overwrite' }), 'StoreChanged', 'shop')
    await expectRefusal(backend.describe('Orders'), 'KeyDestroyed')
    const report = await restore(archive, { conflict: 'overwrite' })
    expect(report).toMatchObject({ overwritten: 1, droppedAliases: ['shop'] })
    expect((await third.describe('shop')).keyId).toBe('shop')
    expect((await third.describe('Legacy')).keyId).toBe('Orders')
  })

  it('is seen by other servers at once', async () => {
    const third = await scratch.backend()
    await backend.destroy('Orders', (await backend.describe('Orders')).etag)
    await expectRefusal(third.describe('Orders'), 'KeyDestroyed')
    await restore(archive, { conflict: 'overwrite' })
    await expectWhole(third, sealed)
    expect((await third.list({ limit: 1 })).keys.map(({ keyId }) => keyId)).toEqual(['Orders'])
  })

  it('of two at the same time does one after the other, or has the second done again', async () => {
    await backend.destroy('Orders', (await backend.describe('Orders')).etag)
    const both = await Promise.allSettled([1, 2].map(() => restore(archive, { conflict: 'overwrite' })))
    const failed = both.flatMap((each) => (each.status === 'rejected' ? [each.reason as { code: string }] : []))
    expect(failed.length, JSON.stringify(failed)).toBeLessThan(2)
    for (const { code } of failed) expect(code).toBe('StoreChanged')
    await expectWhole(backend, sealed)
    expect((await backend.describe('Orders')).currentVersion).toBe(3)
  })

  it('is done on a store that moved on to another root key and KEK since the archive was made', async () => {
    await backend.rotateRoot?.(rootChangeOf(scratch, roots['other raw'] as Fields), { reseal: true })
    await resealed(backend)
    await backend.destroy('Orders', (await backend.describe('Orders')).etag)
    await restore(archive, { conflict: 'overwrite' })
    const next = await scratch.backend(roots['other raw'])
    await expectWhole(next, sealed)
  })

  it('needs the store', async () => {
    await rename(scratch.keyDir, `${scratch.keyDir}.away`)
    await expectRefusal(restore(archive), 'RealmMissing')
    await rename(`${scratch.keyDir}.away`, scratch.keyDir)
    await backend.close()
    await expectRefusal(restore(archive), 'BackendUnavailable', 'closed')
  })

  it('does not follow links, into the store or out of it', async () => {
    const outside = join(scratch.root, 'outside')
    await mkdir(outside)
    const versions = join(scratch.keyDir, 'keys', 'plain.versions')
    await rm(versions, { recursive: true })
    await symlink(outside, versions)
    await expectRefusal(restore(archive), 'BackendUnavailable')
    expect(await readdir(outside)).toEqual([])
    // It was begun: it ends once the way is free.
    await rm(versions)
    const next = await scratch.backend()
    await expectWhole(next, sealed)
  })
})

describe('a restore that was prepared', () => {
  it('counts for nothing without a journal that the store wrote', async () => {
    const name = join(scratch.keyDir, '.restore-0123456789abcdef')
    await mkdir(join(name, 'keys'), { recursive: true, mode: 0o700 })
    await copyFile(join(scratch.keyDir, 'keys', 'gone.json'), join(name, 'keys', 'plain.json'))
    for (const journal of ['', '{}', '{"format":1,"kind":"restore","kek":"00","id":"0123456789abcdef"}\n00']) {
      await writeFile(join(name, 'journal.json'), journal, { mode: 0o600 })
      const next = await scratch.backend()
      await expectWhole(next, sealed)
    }
    // The next write finds nobody who prepares it.
    await backend.create({ ...none, keyId: 'next' })
    expect((await readdir(scratch.keyDir)).sort()).toEqual(['keys', 'store.json'])
  })

  it('is not taken for one by another name', async () => {
    const seen: string[] = []
    const catching = during(4, async () => {
      seen.push(...(await readdir(scratch.keyDir)).filter((name) => name.startsWith('.restore-')))
    })
    await backend.destroy('Orders', (await backend.describe('Orders')).etag)
    await restore(catching, { conflict: 'overwrite' })
    expect(seen).toHaveLength(1)
    expect((await readdir(scratch.keyDir)).sort()).toEqual(['keys', 'store.json'])
  })
})

describe('an archive', () => {
  it('holds each key as it was at one moment, whatever is written meanwhile', async () => {
    const writers = ['a', 'b', 'c'].map((keyId) => ({ keyId, until: false }))
    for (const { keyId } of writers) await backend.create({ ...none, keyId })
    const writing = new AbortController()
    const work = writers.map(async ({ keyId }) => {
      const own = await scratch.backend()
      for (let i = 0; !writing.signal.aborted; i++) {
        const { etag, currentVersion } = await own.describe(keyId)
        if (i % 5 === 4) {
          await own.destroy(keyId, etag)
          await own.create({ ...none, keyId })
        } else await own.rotate(keyId, etag)
        await own.update(keyId, { description: `after ${currentVersion}` }, (await own.describe(keyId)).etag)
      }
    })
    for (let i = 0; i < 12; i++) {
      const entries = await archiveOf(backend)
      expect(entries.filter(({ kind }) => kind === 'gap' || kind === 'ruin')).toEqual([])
      const place = join(other.root, `place-${i}`)
      await other.restore(heldArchive(backend.realm, entries), { key_dir: place })
      const restored = await other.backend({ key_dir: place })
      const { keys, unreadable } = await restored.list({ limit: 100 })
      expect(unreadable).toEqual([])
      for (const { keyId } of keys) {
        const fresh = await wrapUnder(restored, keyId)
        expect((await restored.unwrap(fresh)).toString()).toBe(`${keyId} ${fresh.version}`)
      }
      for (const each of sealed) await restored.unwrap(each)
    }
    writing.abort()
    await Promise.all(work)
  })

  it('says what it could not read, and holds the rest', async () => {
    const keys = join(scratch.keyDir, 'keys')
    await writeFile(join(keys, 'plain.json'), 'x')
    const [folder = ''] = (await readdir(keys)).filter(
      (name) => name.startsWith('orders') && name.endsWith('.versions'),
    )
    await chmod(join(keys, folder), 0o700)
    await rm(join(keys, folder, '1.json'))
    backend = await scratch.backend()
    const entries = await archiveOf(backend)
    expect(entries.map(({ kind }) => kind)).toEqual(['key', 'gap', 'version', 'tombstone', 'ruin'])
    expect(entries[1]).toMatchObject({ keyId: 'Orders', version: 1, reason: 'its file is missing' })
    const report = await other.restore(heldArchive(backend.realm, entries))
    expect(report).toMatchObject({ restored: 1, versions: 1, unreadable: ['plain'] })
    const restored = await other.backend()
    await expectRefusal(restored.unwrap(sealed[0] as UnwrapRequest), 'KeyUnavailable')
    expect((await restored.unwrap(sealed[1] as UnwrapRequest)).toString()).toBe('Orders 2')
  })

  it('is broken off, rather than short, when the store goes away', async () => {
    const entries = await backend.backup?.()
    await cp(scratch.keyDir, `${scratch.keyDir}.copy`, { recursive: true })
    await rm(scratch.keyDir, { recursive: true })
    const reading = async (): Promise<void> => {
      for await (const entry of entries ?? []) expect(entry.kind).toBeTypeOf('string')
    }
    await expectRefusal(reading(), 'BackendUnavailable')
  })
})
