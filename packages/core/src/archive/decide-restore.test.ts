import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KeyMemory } from '../canary/canary-store.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import { type ArchivedState, decideKey, decideTombstone, type HeldEntry, type KeyDecision } from './decide-restore.ts'
import type { ConflictPolicy } from './restore-types.ts'

const NOW = Date.UTC(2026, 5, 1)
const DAY = 86_400_000
const POLICIES = ['fail', 'skip', 'overwrite'] as const

/** Of a world in which a version was made once, or twice by two sides that did not know of each other. */
function materialId(version: number, world: 'ours' | 'theirs' = 'ours'): string {
  return `${world}-${version}`
}

function keyOf(oldest: number, current: number, more: Partial<KeyRecord> = {}): KeyRecord {
  return {
    keyId: 'k',
    aliases: [],
    description: '',
    tags: new Map(),
    state: 'Enabled',
    createdAt: 1,
    currentVersion: current,
    oldestVersion: oldest,
    materialId: materialId(current),
    origin: 'KMS',
    etag: '0000000000000001',
    ...more,
  }
}

function versionsOf(...versions: readonly number[]): ReadonlyMap<number, string> {
  return new Map(versions.map((version) => [version, materialId(version)]))
}

const span = (oldest: number, current: number): readonly number[] =>
  Array.from({ length: current - oldest + 1 }, (_, i) => oldest + i)

function archivedKey(oldest: number, current: number, more: Partial<KeyRecord> = {}): ArchivedState {
  return { record: keyOf(oldest, current, more), versions: versionsOf(...span(oldest, current)) }
}

function heldKey(
  oldest: number,
  current: number,
  more: Partial<KeyRecord> = {},
  versions: ReadonlyMap<number, string> = versionsOf(...span(oldest, current)),
): HeldEntry {
  return { kind: 'key', record: keyOf(oldest, current, more), versions }
}

function decide(
  archived: ArchivedState,
  held: HeldEntry,
  policy: ConflictPolicy = 'fail',
  memory?: KeyMemory,
): KeyDecision {
  return decideKey(archived, held, { policy, memory, now: NOW })
}

const gone: HeldEntry = { kind: 'absent' }

describe('a key of an archive', () => {
  it.each(POLICIES)('that is nowhere is written whole, whatever the policy: %s', (policy) => {
    const archived = archivedKey(2, 4, { description: 'd' })
    const { etag: _, ...record } = archived.record
    expect(decide(archived, gone, policy)).toEqual({ outcome: 'restored', versions: [2, 3, 4], record })
  })

  it.each(POLICIES)('that is as it was stays so, whatever the policy: %s', (policy) => {
    const tags = new Map([
      ['a', '1'],
      ['b', '2'],
    ])
    const turned = new Map([...tags].toReversed())
    const decision = decide(
      archivedKey(1, 3, { tags, aliases: ['x', 'y'] }),
      heldKey(1, 3, { tags: turned, aliases: ['y', 'x'], etag: 'ffffffffffffffff' }),
      policy,
    )
    expect(decision).toEqual({ outcome: 'unchanged', versions: [] })
  })

  it.each(POLICIES)('gets back what is missing here, whatever the policy: %s', (policy) => {
    const held = heldKey(1, 3, {}, versionsOf(2))
    expect(decide(archivedKey(1, 3), held, policy)).toEqual({ outcome: 'repaired', versions: [1, 3] })
    // Neither its own versions nor its description are the archive's business while it is only repaired.
    const later = heldKey(1, 5, {}, versionsOf(2, 4, 5))
    expect(decide(archivedKey(1, 3), later, policy)).toEqual({ outcome: 'repaired', versions: [1, 3] })
  })

  it('with a damaged record gets that of the archive, and keeps the versions that came later', () => {
    const decision = decide(archivedKey(1, 3), { kind: 'damaged', versions: versionsOf(1, 3, 4, 6), bare: false })
    expect(decision).toMatchObject({ outcome: 'repaired', versions: [2] })
    expect(decision.record).toMatchObject({ oldestVersion: 1, currentVersion: 6, materialId: materialId(6) })
    expect(decision.made).toBeUndefined()
  })

  it('with a damaged record is not mixed with versions of a life that came after', () => {
    const held: HeldEntry = { kind: 'damaged', versions: versionsOf(4, 5), bare: false }
    expect(decide(archivedKey(1, 3), held)).toMatchObject({
      outcome: 'kept',
      versions: [],
      disagreement: { reason: expect.stringContaining('destroyed and made again'), overwrites: 'yes' },
    })
    expect(decide(archivedKey(1, 3), held, 'overwrite').record).toMatchObject({ oldestVersion: 1, currentVersion: 5 })
  })

  it('that was destroyed stays so, unless it is to be overwritten', () => {
    const held: HeldEntry = { kind: 'tombstone', lastVersion: 3 }
    for (const policy of ['fail', 'skip'] as const) {
      expect(decide(archivedKey(1, 3), held, policy)).toEqual({
        outcome: 'kept',
        versions: [],
        disagreement: { reason: 'it was destroyed here', overwrites: 'yes' },
      })
    }
    const decision = decide(archivedKey(1, 3), held, 'overwrite')
    expect(decision).toMatchObject({ outcome: 'overwritten', versions: [1, 2, 3], made: 4 })
    expect(decision.record).toMatchObject({ oldestVersion: 1, currentVersion: 4, rotatedAt: NOW })
  })

  it('that was destroyed, as this server remembers, is no less so because the store lost that too', () => {
    const memory = { highestVersion: 3, destroyed: true }
    expect(decide(archivedKey(1, 2), gone, 'fail', memory).outcome).toBe('kept')
    expect(decide(archivedKey(1, 2), gone, 'overwrite', memory)).toMatchObject({ outcome: 'overwritten', made: 4 })
  })

  it('of a later life than the one that ended here comes back as it was', () => {
    const decision = decide(archivedKey(4, 5), { kind: 'tombstone', lastVersion: 3 }, 'overwrite')
    expect(decision).toMatchObject({ outcome: 'overwritten', record: { oldestVersion: 4, currentVersion: 5 } })
    expect(decision.made).toBeUndefined()
  })

  it('never holds less than this server has seen: it gets a version above', () => {
    const decision = decide(archivedKey(1, 2), gone, 'fail', { highestVersion: 6, destroyed: false })
    expect(decision).toMatchObject({ outcome: 'restored', versions: [1, 2], made: 7, record: { currentVersion: 7 } })
  })

  it.each([
    ['a later version', archivedKey(1, 4), heldKey(1, 3)],
    ['another description', archivedKey(1, 3, { description: 'x' }), heldKey(1, 3)],
    ['another state', archivedKey(1, 3, { state: 'Disabled' }), heldKey(1, 3)],
    ['other aliases', archivedKey(1, 3, { aliases: ['x'] }), heldKey(1, 3)],
    ['other tags', archivedKey(1, 3, { tags: new Map([['__proto__', 'x']]) }), heldKey(1, 3)],
    ['another period', archivedKey(1, 3, { rotationPeriodDays: 90 }), heldKey(1, 3)],
    ['an earlier life', archivedKey(1, 3), heldKey(2, 3)],
  ])('with %s is not taken over unless asked for', (_, archived, held) => {
    const { disagreement } = decide(archived, held)
    expect(disagreement?.overwrites).toBe('yes')
    expect(decide(archived, held, 'skip')).toEqual({ outcome: 'kept', versions: [], disagreement })
    const { record } = decide(archived, held, 'overwrite')
    expect(record).toMatchObject({
      description: archived.record.description,
      state: archived.record.state,
      currentVersion: Math.max(archived.record.currentVersion, 3),
    })
  })

  it.each(POLICIES)('with other material under the same number is left alone: %s', (policy) => {
    const theirs = new Map([[2, materialId(2, 'theirs')]])
    const reason = 'its version 2 holds other material here'
    const untouched = { outcome: 'kept', versions: [], disagreement: { reason, overwrites: 'refuses' } }
    expect(decide(archivedKey(1, 3), heldKey(1, 3, {}, theirs), policy)).toEqual(untouched)
    expect(decide(archivedKey(1, 3), { kind: 'damaged', versions: theirs, bare: false }, policy)).toEqual(untouched)
    // Its file is missing, and the record tells what it was.
    const current = heldKey(1, 2, { materialId: materialId(2, 'theirs') }, versionsOf(1))
    expect(decide(archivedKey(1, 3), current, policy)).toEqual(untouched)
  })

  it('is not destroyed because that was due while it was away', () => {
    const pending = { state: 'PendingDeletion', stateBeforeDeletion: 'Enabled' } as const
    const due = archivedKey(1, 1, { ...pending, deletionAt: NOW - DAY })
    expect(decide(due, gone).record?.deletionAt).toBe(NOW + 7 * DAY)
    const later = archivedKey(1, 1, { ...pending, deletionAt: NOW + 20 * DAY })
    expect(decide(later, gone).record?.deletionAt).toBe(NOW + 20 * DAY)
    // Restored once more, it is as the archive has it.
    expect(decide(due, heldKey(1, 1, { ...pending, deletionAt: NOW + 7 * DAY }), 'overwrite').outcome).toBe('unchanged')
  })
})

describe('a tombstone of an archive', () => {
  it('is put up where nothing is, no lower than what was seen', () => {
    expect(decideTombstone(3, gone, undefined)).toEqual({ lastVersion: 3 })
    expect(decideTombstone(3, gone, { highestVersion: 5, destroyed: false })).toEqual({ lastVersion: 5 })
    expect(decideTombstone(3, { kind: 'tombstone', lastVersion: 2 }, undefined)).toEqual({ lastVersion: 3 })
    expect(decideTombstone(3, { kind: 'tombstone', lastVersion: 4 }, undefined)).toEqual({})
  })

  it('is put up again where it is damaged, unless the key lived again since', () => {
    const damaged = { kind: 'damaged', versions: new Map(), bare: true } as const
    expect(decideTombstone(3, damaged, undefined)).toEqual({ lastVersion: 3 })
    expect(decideTombstone(3, damaged, { highestVersion: 3, destroyed: false })).toEqual({ lastVersion: 3 })
    expect(decideTombstone(3, damaged, { highestVersion: 4, destroyed: true })).toEqual({ lastVersion: 4 })
    expect(decideTombstone(3, damaged, { highestVersion: 4, destroyed: false })).toEqual({})
  })

  it('destroys no key', () => {
    const disagreement = { reason: 'the archive says that it was destroyed', overwrites: 'keeps' }
    expect(decideTombstone(3, heldKey(1, 3), undefined)).toEqual({ disagreement })
    expect(decideTombstone(3, heldKey(4, 4), undefined)).toEqual({})
    expect(decideTombstone(3, { kind: 'damaged', versions: new Map(), bare: false }, undefined)).toEqual({})
    expect(decideTombstone(3, { kind: 'alias', keyId: 'x' }, undefined)).toEqual({})
  })
})

const range = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 4 }))
  .map(([oldest, more]) => [oldest, oldest + more] as const)
const world = fc.constantFrom<'ours' | 'theirs'>('ours', 'ours', 'ours', 'theirs')
const recordOf = fc
  .tuple(range, world, fc.constantFrom('', 'd'))
  .map(([[oldest, current], by, description]) =>
    keyOf(oldest, current, { description, materialId: materialId(current, by) }),
  )
/** Some of the versions that a record names, those of a world. */
const withVersions = recordOf.chain((record) =>
  fc
    .tuple(fc.subarray([...span(record.oldestVersion, record.currentVersion)]), world, fc.constant(record))
    .map(([numbers, by, found]) => {
      const versions = new Map(numbers.map((version) => [version, materialId(version, by)]))
      if (versions.has(found.currentVersion)) versions.set(found.currentVersion, found.materialId)
      return { record: found, versions }
    }),
)
const heldEntry: fc.Arbitrary<HeldEntry> = fc.oneof(
  fc.constant<HeldEntry>(gone),
  withVersions.map((state): HeldEntry => ({ kind: 'key', ...state })),
  withVersions.map(({ versions }): HeldEntry => ({ kind: 'damaged', versions, bare: versions.size === 0 })),
  fc.integer({ min: 1, max: 8 }).map((lastVersion): HeldEntry => ({ kind: 'tombstone', lastVersion })),
  fc.constantFrom<HeldEntry>({ kind: 'alias', keyId: 'x' }, { kind: 'foreign', reason: 'r' }),
)
const keyMemory = fc.option(fc.record({ highestVersion: fc.integer({ min: 1, max: 12 }), destroyed: fc.boolean() }), {
  nil: undefined,
})

/** What there is once a decision was carried out. */
function after(archived: ArchivedState, held: HeldEntry, { record, versions, made }: KeyDecision): HeldEntry {
  const written = new Map('versions' in held ? held.versions : [])
  for (const version of versions) written.set(version, archived.versions.get(version) as string)
  if (made !== undefined) written.set(made, 'made')
  const madeId = made === undefined ? {} : { materialId: 'made' }
  if (record !== undefined) return { kind: 'key', record: { ...record, ...madeId, etag: 'new' }, versions: written }
  return held.kind === 'key' ? { ...held, versions: written } : held
}

describe('whatever there is', () => {
  const everything = fc.record({
    archived: withVersions,
    held: heldEntry,
    policy: fc.constantFrom(...POLICIES),
    memory: keyMemory,
  })

  it('no material that can be read is lost or replaced, and no key goes back', () => {
    fc.assert(
      fc.property(everything, ({ archived, held, policy, memory }) => {
        const decision = decide(archived, held, policy, memory)
        const result = after(archived, held, decision)
        if ('versions' in held) {
          expect(result).toHaveProperty('versions')
          for (const [version, material] of held.versions) {
            expect((result as typeof held).versions.get(version)).toBe(material)
          }
        }
        if (result.kind !== 'key') return
        const { oldestVersion, currentVersion, materialId: current } = result.record
        for (const version of result.versions.keys()) {
          // What was no part of the key any more when the archive was made is none now.
          if (held.kind === 'damaged' && version < archived.record.oldestVersion) continue
          if (held.kind === 'damaged' && decision.record === undefined) continue
          expect(version).toBeGreaterThanOrEqual(oldestVersion)
          expect(version).toBeLessThanOrEqual(currentVersion)
        }
        if (result.versions.has(currentVersion)) expect(result.versions.get(currentVersion)).toBe(current)
        if (held.kind === 'key') expect(currentVersion).toBeGreaterThanOrEqual(held.record.currentVersion)
        if (decision.record !== undefined && held.kind !== 'key') {
          expect(currentVersion).toBeGreaterThanOrEqual(memory?.highestVersion ?? 0)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('a new version stands above everything that was ever seen', () => {
    fc.assert(
      fc.property(everything, ({ archived, held, policy, memory }) => {
        const { made } = decide(archived, held, policy, memory)
        if (made === undefined) return
        const here = held.kind === 'key' ? held.record.currentVersion : held.kind === 'tombstone' ? held.lastVersion : 0
        const loose = 'versions' in held ? [...held.versions.keys()] : []
        expect(made).toBeGreaterThan(
          Math.max(here, ...loose, archived.record.currentVersion, memory?.highestVersion ?? 0),
        )
      }),
      { numRuns: 2000 },
    )
  })

  it('what there is changes only where overwriting was asked for; what is missing is filled', () => {
    fc.assert(
      fc.property(everything, ({ archived, held, policy, memory }) => {
        const decision = decide(archived, held, policy, memory)
        if (policy === 'overwrite' && decision.disagreement?.overwrites !== 'refuses') return
        if (held.kind === 'key') expect(decision.record).toBeUndefined()
        if (held.kind === 'tombstone' || held.kind === 'alias' || held.kind === 'foreign') {
          expect(decision).toMatchObject({ outcome: 'kept', versions: [] })
        }
        if (decision.disagreement?.overwrites === 'refuses') expect(decision.versions).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  it('doing it twice is doing it once', () => {
    fc.assert(
      fc.property(everything, ({ archived, held, policy, memory }) => {
        const first = decide(archived, held, policy, memory)
        const result = after(archived, held, first)
        const seen = first.made === undefined ? memory : { highestVersion: first.made, destroyed: false }
        // Restored over what a server remembers as destroyed, a key is seen again, and so no longer destroyed.
        const recalled = first.record === undefined ? seen : seen && { ...seen, destroyed: false }
        const second = decide(archived, result, policy, recalled)
        expect(second.versions).toEqual([])
        expect(second.made).toBeUndefined()
        if (first.record !== undefined && held.kind !== 'key') expect(second.outcome).toBe('unchanged')
      }),
      { numRuns: 2000 },
    )
  })
})
