import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { ArchiveEntry } from '../archive/archive-entry.ts'
import type { ArchiveSource } from '../archive/archive-source.ts'
import type { RestoreOptions, RestoreReport } from '../archive/restore-types.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { KeyBackend, KeyRecord, UnwrapRequest } from '../keys/key-backend.ts'
import { type ContractTest, newKey, refused, settled, wrapUnder } from './contract-test.ts'
import { archiveOf, heldArchive, nothingSeen } from './held-archive.ts'

function restore(
  backend: KeyBackend,
  archive: ArchiveSource | readonly ArchiveEntry[],
  options: Partial<RestoreOptions> = {},
): Promise<RestoreReport> {
  const source = 'entries' in archive && 'header' in archive ? archive : heldArchive(backend.realm, archive)
  const how = { conflict: 'fail', dryRun: false, seen: nothingSeen, ...options } as const
  return backend.restore?.(source, how) ?? expect.fail('it cannot restore')
}

/** A key with two versions and everything else; returns what was wrapped under each. */
async function fill(backend: KeyBackend): Promise<readonly UnwrapRequest[]> {
  const tags = new Map([['__proto__', 'x']])
  let record = await backend.create(newKey('a', { aliases: ['b', 'C'], description: 'd', tags }))
  const sealed = [await wrapUnder(backend, record, Buffer.from('a1'))]
  record = await backend.rotate('a', record.etag)
  sealed.push(await wrapUnder(backend, record, Buffer.from('a2')))
  record = await backend.create(newKey('Z'))
  sealed.push(await wrapUnder(backend, record, Buffer.from('Z1')))
  return sealed
}

async function destroy(backend: KeyBackend, keyId: string): Promise<void> {
  await backend.destroy(keyId, (await backend.describe(keyId)).etag)
}

async function opens(backend: KeyBackend, sealed: readonly UnwrapRequest[]): Promise<readonly string[]> {
  return Promise.all(sealed.map(async (each) => (await backend.unwrap(each)).toString()))
}

async function everything(backend: KeyBackend): Promise<unknown> {
  const { keys, unreadable } = await backend.list({ limit: 100 })
  return { keys, unreadable }
}

/** `backup` and `restore`. */
export const archiveContract: readonly ContractTest[] = [
  {
    name: 'what it cannot archive, it has no verbs for',
    async run({ backend }) {
      const { backup } = backend.capabilities
      expect([backend.backup !== undefined, backend.restore !== undefined]).toEqual([backup, backup])
    },
  },
  {
    name: 'an archive holds every key with its versions, and what is left of destroyed ones',
    capability: 'backup',
    async run({ backend }) {
      await fill(backend)
      const gone = await backend.create(newKey('gone'))
      await destroy(backend, (await backend.rotate('gone', gone.etag)).keyId)
      const entries = await archiveOf(backend)
      expect(
        entries.map((entry) => ({ ...entry, material: undefined, createdAt: undefined, destroyedAt: undefined })),
      ).toMatchObject([
        { kind: 'key', record: await backend.describe('Z') },
        { kind: 'version', keyId: 'Z', version: 1 },
        { kind: 'key', record: await backend.describe('a') },
        { kind: 'version', keyId: 'a', version: 1 },
        { kind: 'version', keyId: 'a', version: 2, materialId: (await backend.describe('a')).materialId },
        { kind: 'tombstone', keyId: 'gone', lastVersion: 2 },
      ])
      const materials = entries.flatMap((entry) => (entry.kind === 'version' ? [entry.material.toString('hex')] : []))
      expect(new Set(materials).size).toBe(3)
      expect(materials.join('')).toMatch(/^[0-9a-f]{192}$/)
    },
  },
  {
    name: 'restoring what is there changes nothing',
    capability: 'backup',
    async run({ backend }) {
      const sealed = await fill(backend)
      const before = await everything(backend)
      expect(await restore(backend, await archiveOf(backend))).toMatchObject({
        unchanged: 2,
        versions: 0,
        conflicts: [],
      })
      expect(await everything(backend)).toEqual(before)
      expect(await opens(backend, sealed)).toEqual(['a1', 'a2', 'Z1'])
    },
  },
  {
    name: 'a damaged key is repaired, whatever the policy, and opens what it wrapped',
    capability: 'backup',
    needs: ['damage', 'reopen'],
    async run({ backend, damage, reopen }) {
      const sealed = await fill(backend)
      const entries = await archiveOf(backend)
      const record = await backend.describe('a')
      for (const conflict of ['fail', 'skip', 'overwrite'] as const) {
        await damage('a')
        await refused(backend.describe('a'), 'KeyUnavailable')
        expect(await restore(backend, entries, { conflict })).toMatchObject({
          repaired: 1,
          unchanged: 1,
          conflictCount: 0,
        })
        expect(settled(await backend.describe('a'))).toEqual(settled(record))
        expect((await backend.describe('C')).keyId).toBe('a')
        expect(await opens(await reopen(), sealed)).toEqual(['a1', 'a2', 'Z1'])
      }
    },
  },
  {
    name: 'a key that was destroyed since stays destroyed, unless it is to be overwritten, and is another version then',
    capability: 'backup',
    async run({ backend, retiresIds }) {
      if (retiresIds) return
      const sealed = await fill(backend)
      const entries = await archiveOf(backend)
      await destroy(backend, 'a')
      await refused(restore(backend, entries), 'RestoreConflict')
      expect(await restore(backend, entries, { conflict: 'skip' })).toMatchObject({
        kept: 1,
        unchanged: 1,
        versions: 0,
      })
      await refused(backend.describe('a'), 'KeyDestroyed')
      expect(await restore(backend, entries, { conflict: 'overwrite' })).toMatchObject({ overwritten: 1, versions: 3 })
      expect(await backend.describe('b')).toMatchObject({ keyId: 'a', currentVersion: 3, oldestVersion: 1 })
      expect(await opens(backend, sealed)).toEqual(['a1', 'a2', 'Z1'])
      const again = await wrapUnder(backend, await backend.describe('a'), Buffer.from('a3'))
      expect(await opens(backend, [again])).toEqual(['a3'])
    },
  },
  {
    name: 'no key goes back to an earlier version, and no version is lost',
    capability: 'backup',
    async run({ backend }) {
      const sealed = [...(await fill(backend))]
      const entries = await archiveOf(backend)
      const rotated = await backend.rotate('a', (await backend.describe('a')).etag)
      sealed.push(await wrapUnder(backend, rotated, Buffer.from('a3')))
      await backend.update('a', { description: 'since', aliases: ['c'] }, rotated.etag)
      await refused(restore(backend, entries), 'RestoreConflict')
      const kept = await everything(backend)
      expect(await restore(backend, entries, { conflict: 'skip' })).toMatchObject({ kept: 1, unchanged: 1 })
      expect(await everything(backend)).toEqual(kept)
      expect(await restore(backend, entries, { conflict: 'overwrite' })).toMatchObject({ overwritten: 1, versions: 0 })
      const record = await backend.describe('b')
      expect(record).toMatchObject({ currentVersion: 3, oldestVersion: 1, description: 'd', aliases: ['b', 'C'] })
      await refused(backend.describe('c'), 'KeyNotFound')
      expect(await opens(backend, sealed)).toEqual(['a1', 'a2', 'Z1', 'a3'])
    },
  },
  {
    name: 'an alias that somebody else has stays theirs',
    capability: 'backup',
    async run({ backend }) {
      await fill(backend)
      const entries = await archiveOf(backend)
      const { etag } = await backend.describe('a')
      await backend.update('a', { aliases: ['C'] }, etag)
      await backend.update('Z', { aliases: ['b'] }, (await backend.describe('Z')).etag)
      const report = await restore(backend, entries, { conflict: 'overwrite' })
      expect(report.droppedAliases).toEqual(['b'])
      expect((await backend.describe('a')).aliases).toEqual(['C'])
      // The archive's Z has no alias: it was overwritten first.
      await refused(backend.describe('b'), 'KeyNotFound')
      expect(await restore(backend, entries, { conflict: 'overwrite' })).toMatchObject({
        droppedAliases: [],
        overwritten: 1,
      })
      expect((await backend.describe('b')).keyId).toBe('a')
    },
  },
  {
    name: 'what this server has seen is not undercut, and what is nowhere any more is given up where that is asked for',
    capability: 'backup',
    async run({ backend, retiresIds }) {
      if (retiresIds) return
      const sealed = await fill(backend)
      const entries = await archiveOf(backend)
      await destroy(backend, 'a')
      const memories = new Map([
        ['a', { highestVersion: 7, destroyed: false }],
        ['lost', { highestVersion: 4, destroyed: false }],
      ])
      const seen = { memory: (keyId: string) => memories.get(keyId), known: () => memories }
      await refused(restore(backend, entries, { seen }), 'RestoreConflict')
      const report = await restore(backend, entries, { seen, conflict: 'overwrite' })
      expect(report).toMatchObject({ overwritten: 1, lost: ['lost'], lostCount: 1, tombstones: 1 })
      expect((await backend.describe('a')).currentVersion).toBe(8)
      expect(await opens(backend, sealed)).toEqual(['a1', 'a2', 'Z1'])
      await refused(backend.describe('lost'), 'KeyDestroyed')
      expect((await backend.create(newKey('lost'))).currentVersion).toBe(5)
    },
  },
  {
    name: 'a deletion that is due is put off',
    capability: 'backup',
    async run({ backend, retiresIds }) {
      if (retiresIds) return
      const { etag } = await backend.create(newKey('a'))
      await backend.update('a', { state: 'PendingDeletion', deletionAt: 1000, stateBeforeDeletion: 'Enabled' }, etag)
      const entries = await archiveOf(backend)
      await destroy(backend, 'a')
      const report = await restore(backend, entries, { conflict: 'overwrite' })
      expect(report.postponed).toEqual(['a'])
      const { state, deletionAt } = await backend.describe('a')
      expect([state, (deletionAt ?? 0) > 6 * 86_400_000]).toEqual(['PendingDeletion', true])
    },
  },
  {
    name: 'a restore that fails, or is only tried, changes nothing',
    capability: 'backup',
    async run({ backend, retiresIds }) {
      if (retiresIds) return
      await fill(backend)
      const entries = await archiveOf(backend)
      await destroy(backend, 'a')
      const before = await everything(backend)
      for (const conflict of ['fail', 'skip', 'overwrite'] as const) {
        const tried = await restore(backend, entries, { conflict, dryRun: true })
        expect(tried).toMatchObject({ conflictCount: 1, unchanged: 1 })
        expect(tried.conflicts).toEqual([{ keyId: 'a', reason: 'it was destroyed here' }])
      }
      const whole = heldArchive(backend.realm, entries)
      // How often it is read is the backend's affair: whichever reading ends too early, that is noticed in time.
      for (let brokenReading = 1; ; brokenReading++) {
        let reading = 0
        const broken: ArchiveSource = {
          header: whole.header,
          async *entries() {
            const fails = ++reading === brokenReading
            let count = 0
            for await (const entry of whole.entries()) {
              if (fails && ++count === entries.length) throw kmsError('ArchiveDamaged', { reason: 'it is cut short' })
              yield entry
            }
          },
        }
        const attempt = restore(backend, broken, { conflict: 'overwrite' })
        await attempt.catch(() => {})
        if (reading < brokenReading) {
          expect(await attempt).toMatchObject({ overwritten: 1 })
          expect(brokenReading).toBeGreaterThan(1)
          break
        }
        await refused(attempt, 'ArchiveDamaged')
        expect(await everything(backend)).toEqual(before)
        await refused(backend.describe('a'), 'KeyDestroyed')
      }
    },
  },
  {
    name: 'an archive is of each key as it was at one moment, whatever is written meanwhile',
    capability: 'backup',
    async run({ backend }) {
      const made: KeyRecord[] = []
      for (let i = 0; i < 8; i++) made.push(await backend.create(newKey(`k${i}`)))
      const writing = Promise.all(
        made.map(async ({ keyId }) => {
          for (let i = 0; i < 3; i++) await backend.rotate(keyId, (await backend.describe(keyId)).etag)
        }),
      )
      const archives = [await archiveOf(backend), await archiveOf(backend)]
      await writing
      for (const entries of archives) {
        for (const entry of entries) {
          if (entry.kind !== 'key') continue
          const { keyId, currentVersion, materialId } = entry.record
          const versions = entries.filter((other) => other.kind === 'version' && other.keyId === keyId)
          expect(versions).toHaveLength(currentVersion)
          expect(versions.at(-1)).toMatchObject({ version: currentVersion, materialId })
        }
        expect(entries.filter(({ kind }) => kind === 'gap' || kind === 'ruin')).toEqual([])
      }
    },
  },
]
