import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Entry, encodeEntry, readEntry, type StoredKey } from './record-file.ts'

type Golden = Readonly<Record<string, { readonly name: string; readonly data: Record<string, unknown> }>>
const golden: Golden = JSON.parse(readFileSync(new URL('../../vectors/records.json', import.meta.url), 'utf8'))

describe('golden records', () => {
  it.each(Object.entries(golden))('%s is read, and written back byte for byte', (_, { name, data }) => {
    const entry = readEntry(name, data)
    if (typeof entry === 'string') return expect.fail(entry)
    expect(JSON.stringify(encodeEntry(name, entry, String(data['write'])))).toBe(JSON.stringify(data))
  })

  it('hold what they say', () => {
    const { name, data } = golden['key'] as Golden[string]
    expect(readEntry(name, data)).toEqual({
      kind: 'key',
      key: {
        keyId: 'orders',
        state: 'PendingDeletion',
        aliases: ['shop', 'legacy'],
        description: 'z\u00fc\u0000rich \u{1f30d}',
        tags: new Map([
          ['__proto__', 'constructor'],
          ['team', 'blue'],
        ]),
        createdAt: 1795500438123,
        deletionAt: 1798092438123,
        stateBeforeDeletion: 'Disabled',
        rotationPeriodDays: 90,
        origin: 'KMS',
        adopted: false,
      },
    })
  })
})

const text = fc.string({ unit: 'grapheme' })
const time = fc.nat(2 ** 31)
const key: fc.Arbitrary<StoredKey> = fc.record(
  {
    keyId: fc.constant('a'),
    state: fc.constantFrom('Creating', 'Enabled', 'Disabled', 'PendingDeletion'),
    aliases: fc.array(text),
    description: text,
    tags: fc.array(fc.tuple(text, text)).map((pairs) => new Map(pairs)),
    createdAt: time,
    deletionAt: time,
    stateBeforeDeletion: fc.constantFrom('Enabled', 'Disabled'),
    rotationPeriodDays: fc.integer({ min: 1, max: 10_000 }),
    origin: fc.constantFrom('KMS', 'EXTERNAL'),
    adopted: fc.boolean(),
  },
  { requiredKeys: ['keyId', 'state', 'aliases', 'description', 'tags', 'createdAt', 'origin', 'adopted'] },
)
const entries: fc.Arbitrary<Entry> = fc.oneof(
  key.map((stored) => ({ kind: 'key', key: stored }) as const),
  text.map((keyId) => ({ kind: 'alias', keyId }) as const),
  fc.record({
    kind: fc.constant('tombstone' as const),
    lastVersion: fc.integer({ min: 1, max: 0xffff_ffff }),
    destroyedAt: time,
    pending: fc.boolean(),
  }),
  fc.constant({ kind: 'free' } as const),
)

describe('records', () => {
  it('come back as they were written, through JSON', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const stored = JSON.parse(JSON.stringify(encodeEntry('a', entry, '0011223344556677')))
        expect(readEntry('a', stored)).toEqual(entry)
        expect(readEntry('b', stored)).toMatch(/belongs to another/)
      }),
    )
  })

  it.each([
    [undefined, 'not one of ours'],
    [{}, 'not one of ours'],
    [{ format: '1', kind: 'free', name: 'a' }, 'not one of ours'],
    [{ format: 1, kind: 'other' }, 'not one of ours'],
    [{ format: 1, kind: 'key', key_id: 'a' }, 'not one of ours'],
    [
      { format: 1, kind: 'tombstone', key_id: 'a', last_version: 0, destroyed_at: 0, pending: false },
      'not one of ours',
    ],
    [{ format: 2, kind: 'key', key_id: 'a' }, 'format 2, which is newer'],
  ])('%j is unreadable, with the reason', (data, reason) => {
    expect(readEntry('a', data)).toContain(reason)
  })
})
