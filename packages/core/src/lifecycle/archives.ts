import type { Buffer } from 'node:buffer'
import type { ArchiveEntry } from '../archive/archive-entry.ts'
import type { ArchiveSource } from '../archive/archive-source.ts'
import type { RestoreOptions, RestoreReport } from '../archive/restore-types.ts'
import type { Spool } from '../archive/spool.ts'
import { openSpooledArchive } from '../archive/spooled-archive.ts'
import { writeArchive } from '../archive/write-archive.ts'
import type { CanaryStore } from '../canary/canary-store.ts'
import type { Clock } from '../clock.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import type { Notice } from '../config/driver.ts'
import { kmsError } from '../errors/kms-error.ts'
import { requireCapability } from '../keys/require-capability.ts'
import type { KmsManager, ManagerEvent, RestoreOutcome } from '../manager/manager-types.ts'
import type { Snapshot, SnapshotSource } from '../manager/snapshot.ts'
import type { Random } from '../random.ts'
import type { RunChange } from './change-events.ts'
import type { Report } from './change-report.ts'
import { knownStoreAt, placeOf } from './known-place.ts'
import { publicReason } from './public-reason.ts'
import type { Publisher } from './publisher.ts'
import type { StoredDocument } from './stored-document.ts'

export interface ArchivesOptions {
  readonly schema: ConfigSchema
  readonly source: SnapshotSource
  readonly document: StoredDocument
  readonly publisher: Publisher
  readonly canaryStore: CanaryStore
  readonly runChange: RunChange
  readonly report: Report
  /** Absent: archives cannot be restored. */
  readonly spool: Spool | undefined
  readonly clock: Clock
  readonly random: Random
  readonly onNotice: (notice: Notice) => void
  readonly onEvent: (event: ManagerEvent) => void
}

/** Making archives of the active store, and making a store of one again. */
export function createArchives(options: ArchivesOptions): Pick<KmsManager, 'backup' | 'restore'> {
  const { schema, source, document, publisher, canaryStore, runChange, report, spool, clock, random, onEvent } = options

  function restorable(snapshot: Snapshot): (archive: ArchiveSource, how: RestoreOptions) => Promise<RestoreReport> {
    const { active, config } = snapshot
    requireCapability(active.backend, 'backup', config.backend_type)
    const restore = active.backend.restore?.bind(active.backend)
    return async (archive, how) => {
      const { realm: archived } = archive.header
      const place = placeOf(config, schema)
      if (archived !== active.realm) throw kmsError('ForeignArchive', { archived, place, realm: active.realm })
      if (restore === undefined) throw cannotRestore(config.backend_type)
      try {
        return await active.use(() => restore(archive, how))
      } finally {
        publisher.snapshot?.cache?.clear()
        active.forget()
      }
    }
  }

  /** Restores into the place that is configured and that nobody has open. */
  async function restorePlace(archive: ArchiveSource, how: RestoreOptions): Promise<RestoreReport> {
    const stored = document.current
    if (stored === undefined) throw kmsError('NoConfiguration')
    const { config } = stored
    const driver = schema.driver(config.backend_type)
    if (driver.restore === undefined) throw cannotRestore(driver.type)
    const [expectedRealm] = knownStoreAt(placeOf(config, schema), driver.type, stored) ?? []
    return driver.restore(config, archive, {
      ...how,
      clock,
      random,
      mayInitialise: true,
      signal: new AbortController().signal,
      onNotice: options.onNotice,
      ...(expectedRealm === undefined ? {} : { expectedRealm }),
    })
  }

  return {
    async backup(secret, caller) {
      const { active, config } = source.current()
      requireCapability(active.backend, 'backup', config.backend_type)
      const backup = active.backend.backup?.bind(active.backend)
      if (backup === undefined) throw cannotRestore(config.backend_type)
      const { realm } = active
      const createdAt = clock.now()
      const counts = createCounts()
      const entries = await active.use(backup)
      const bytes = writeArchive(entries, { realm, createdAt, secret, random, onEntry: counts.count })

      async function* sealed(): AsyncGenerator<Buffer, void, undefined> {
        let broken: string | undefined = 'Whoever asked for it went away.'
        active.enter()
        try {
          yield* bytes
          broken = undefined
        } catch (error) {
          broken = publicReason(error)
          throw error
        } finally {
          active.leave()
          const unreadable = counts.unreadable === 0 ? '' : `, ${counts.unreadable} parts could not be read`
          const made = `An archive was made: ${counts.keys} keys, ${counts.versions} versions${unreadable}.`
          if (broken === undefined) onEvent({ event: 'kms_backed_up', message: made, caller, realm })
          else onEvent({ event: 'kms_warning', message: `An archive was broken off. ${broken}`, caller, realm })
        }
      }
      return { realm, createdAt, bytes: sealed() }
    },

    async restore(body, { secret, conflict, dryRun }, caller) {
      if (spool === undefined) {
        throw kmsError('UnsupportedOperation', { reason: 'This server keeps no place to receive an archive in.' })
      }
      return spool.withFile(body, async (path) => {
        const archive = await openSpooledArchive(path, secret)
        return runChange('kms_restored', caller, async (): Promise<RestoreOutcome> => {
          const { snapshot } = publisher
          const restore = snapshot === undefined ? restorePlace : restorable(snapshot)
          const seen = await canaryStore.open(archive.header.realm)
          const restored = await restore(archive, { conflict, dryRun, seen })
          if (!dryRun) onEvent({ event: 'kms_notice', message: told(restored), caller, realm: archive.header.realm })
          return { ...report(dryRun ? 'unchanged' : 'restored'), realm: archive.header.realm, restored }
        })
      })
    },
  }
}

function told({ restored, repaired, overwritten, unchanged, kept, versions, lostCount }: RestoreReport): string {
  const lost = lostCount === 0 ? '' : ` ${lostCount} keys that were seen here are given up.`
  return `An archive was restored: ${restored} keys made again, ${repaired} repaired, ${overwritten} overwritten, ${unchanged} unchanged, ${kept} left as they are; ${versions} versions written.${lost}`
}

function cannotRestore(backend: string): Error {
  return kmsError('UnsupportedCapability', { backend, capability: 'be made of an archive' })
}

interface Counts {
  readonly keys: number
  readonly versions: number
  readonly unreadable: number
  count(entry: ArchiveEntry): void
}

function createCounts(): Counts {
  const counts = { keys: 0, versions: 0, unreadable: 0 }
  return {
    get keys() {
      return counts.keys
    },
    get versions() {
      return counts.versions
    },
    get unreadable() {
      return counts.unreadable
    },
    count({ kind }) {
      if (kind === 'key') counts.keys++
      else if (kind === 'version') counts.versions++
      else if (kind !== 'tombstone') counts.unreadable++
    },
  }
}
