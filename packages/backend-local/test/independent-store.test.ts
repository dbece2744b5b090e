import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalContext, decodeEnvelope, envelopeAad, type KeyBackend, type OpenOptions } from '@kms/core'
import { createManualClock } from '@kms/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fields } from './document-of.ts'
import { keksOnDisk, resealed, rootChangeOf, storeJson } from './rotations.ts'
import { copyPrivately, expectRefusal, RAW_KEY, type Scratch, scratchStore } from './scratch-store.ts'

/** Stores that another program wrote, which knows nothing but docs/formats.md (vectors/README.md). */
const STORES = join(import.meta.dirname, '..', 'vectors', 'independent')
const kinds: Readonly<Record<string, Fields>> = {
  passphrase: { master_key: 'correct horse battery staple \u{1f511}' },
  raw: { master_key: Buffer.from('fedcba9876543210fedcba9876543210').toString('base64') },
}
const DAY = 86_400_000
const T0 = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

interface GoldenEnvelope {
  readonly envelope: string
  readonly context: Readonly<Record<string, string>>
  readonly plaintext: string
}

let scratch: Scratch
let envelopes: readonly GoldenEnvelope[]
beforeEach(async () => {
  scratch = await scratchStore()
})
afterEach(() => scratch.cleanup())

async function take(kind: string, options: Partial<OpenOptions> = {}): Promise<KeyBackend> {
  await copyPrivately(join(STORES, kind, 'store'), scratch.keyDir)
  envelopes = JSON.parse(await readFile(join(STORES, kind, 'envelopes.json'), 'utf8')) as readonly GoldenEnvelope[]
  expect(envelopes).toHaveLength(6)
  return (await scratch.open(kinds[kind], { mayInitialise: false, ...options })).backend
}

async function expectOpen(backend: KeyBackend, some: readonly GoldenEnvelope[] = envelopes): Promise<void> {
  for (const { envelope, context, plaintext } of some) {
    const { headerBytes, ...parts } = decodeEnvelope(Buffer.from(envelope, 'base64'))
    expect(parts.realm).toBe(backend.realm)
    const aad = envelopeAad(headerBytes, canonicalContext(new Map(Object.entries(context))))
    expect((await backend.unwrap({ ...parts, aad })).toString()).toBe(plaintext)
  }
}

async function contents(): Promise<ReadonlyMap<string, string>> {
  const found = await readdir(scratch.keyDir, { recursive: true, withFileTypes: true })
  const paths = found.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name))
  return new Map(await Promise.all(paths.sort().map(async (path) => [path, await readFile(path, 'utf8')] as const)))
}

async function expectKeys(backend: KeyBackend): Promise<void> {
  const { keys, unreadable } = await backend.list({ limit: 10 })
  expect(unreadable).toEqual([])
  expect(
    keys.map((key) => `${key.keyId} ${key.oldestVersion}-${key.currentVersion} ${key.state} ${key.origin}`),
  ).toEqual([
    'Archive.2026 1-1 PendingDeletion KMS',
    'again 7-7 Enabled KMS',
    'escrow 1-1 Disabled EXTERNAL',
    'orders 1-3 Enabled KMS',
  ])
  expect(await backend.describe('Legacy')).toMatchObject({
    keyId: 'orders',
    aliases: ['shop', 'Legacy'],
    description: 'f\u00fcr "orders"',
    tags: new Map([
      ['team', 'blue'],
      ['__proto__', 'x'],
    ]),
    createdAt: T0,
    rotatedAt: T0 + DAY,
    rotationPeriodDays: 90,
  })
  expect(await backend.describe('Archive.2026')).toMatchObject({
    deletionAt: T0 + 30 * DAY,
    stateBeforeDeletion: 'Disabled',
  })
  await expectRefusal(backend.describe('gone'), 'KeyDestroyed')
  await expectRefusal(backend.describe('stale'), 'KeyNotFound')
}

describe.each(Object.keys(kinds))('a store with a %s root key that another program wrote', (kind) => {
  it('is read, and what it wrapped opens, without a byte being changed', async () => {
    // On this clock the re-seal that it is in the middle of does not go on.
    const backend = await take(kind, { clock: createManualClock(T0) })
    const before = await contents()
    await backend.health()
    await expectKeys(backend)
    await expectOpen(backend)
    await backend.close()
    expect(await contents()).toEqual(before)
  })

  it('is re-sealed to its end, and is the same', async () => {
    const clock = createManualClock(T0 + 5 * DAY)
    const backend = await take(kind, { clock })
    expect((await storeJson(scratch.keyDir)).keks).toHaveLength(2)
    // Its pauses are waited for by this clock, the lock by none: nobody else writes.
    const ticking = setInterval(() => clock.advance(1000), 1)
    await resealed(backend)
    clearInterval(ticking)
    await backend.close()
    const { keks, current_kek } = await storeJson(scratch.keyDir)
    expect(keks.map(({ id }) => id)).toEqual([current_kek])
    // The version that no record names is no part of it.
    expect(await keksOnDisk(scratch.keyDir)).toContain(current_kek)
    const again = await scratch.backend(kinds[kind])
    await expectKeys(again)
    await expectOpen(again)
  })

  it('is written to like any other: nothing that it wrapped is lost', async () => {
    const backend = await take(kind)
    const rotated = await backend.rotate('orders', (await backend.describe('orders')).etag)
    expect(rotated.currentVersion).toBe(4)
    // The version that a crash left is not adopted.
    expect((await backend.rotate('escrow', (await backend.describe('escrow')).etag)).currentVersion).toBe(2)
    expect(
      (await backend.create({ keyId: 'gone', aliases: ['stale'], description: '', tags: new Map() })).currentVersion,
    ).toBe(5)
    await backend.rotateRoot?.(rootChangeOf(scratch, { master_key: RAW_KEY }), { reseal: false })
    await backend.close()
    const again = await scratch.backend({ master_key: RAW_KEY })
    await expectOpen(again)
    expect(await again.describe('stale')).toMatchObject({ keyId: 'gone' })
    await again.destroy('again', (await again.describe('again')).etag)
    await expectOpen(again, envelopes.slice(0, -1))
    await expectRefusal(expectOpen(again, envelopes.slice(-1)), 'KeyDestroyed')
  })
})

it('the stores are the ones this test knows', async () => {
  expect((await readdir(STORES)).sort()).toEqual(Object.keys(kinds).sort())
})
