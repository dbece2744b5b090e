import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  canonicalContext,
  decodeEnvelope,
  encodeEnvelope,
  encodeEnvelopeHeader,
  envelopeAad,
  type KeyBackend,
  type OpenOptions,
} from '@kms/core'
import { createManualClock, createSeededRandom } from '@kms/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fields } from './document-of.ts'
import { copyPrivately, type Scratch, scratchStore } from './scratch-store.ts'

const VECTORS = join(import.meta.dirname, '..', 'vectors')
/** Only for a new format: what was released once is never written again. */
const write = process.env['WRITE_VECTORS'] === '1'

const kinds: Readonly<Record<string, Fields>> = {
  passphrase: { master_key: 'correct horse battery staple \u{1f511}' },
  raw: { master_key: Buffer.from('0123456789abcdef0123456789abcdef').toString('base64') },
  generated: { master_key: undefined },
}

interface GoldenEnvelope {
  readonly envelope: string
  readonly context: Readonly<Record<string, string>>
  readonly plaintext: string
}

let scratch: Scratch
beforeAll(async () => {
  scratch = await scratchStore()
})
afterAll(() => scratch.cleanup())

async function seal(backend: KeyBackend, keyId: string, plaintext: string, pairs: GoldenEnvelope['context']) {
  const { currentVersion: version, materialId } = await backend.describe(keyId)
  const header = encodeEnvelopeHeader({
    algorithm: backend.algorithm,
    realm: backend.realm,
    materialId,
    version,
    keyId,
  })
  const aad = envelopeAad(header, canonicalContext(new Map(Object.entries(pairs))))
  const wrapped = await backend.wrap({ keyId, version, plaintext: Buffer.from(plaintext), aad })
  return { envelope: encodeEnvelope(header, wrapped).toString('base64'), context: pairs, plaintext }
}

async function open(backend: KeyBackend, { envelope, context }: GoldenEnvelope): Promise<string> {
  const { headerBytes, ...parts } = decodeEnvelope(Buffer.from(envelope, 'base64'))
  expect(parts.realm).toBe(backend.realm)
  const aad = envelopeAad(headerBytes, canonicalContext(new Map(Object.entries(context))))
  return (await backend.unwrap({ ...parts, aad })).toString()
}

/** A store with every kind of file, made from a fixed seed at a fixed time. */
async function makeStore(kind: string, place: Fields): Promise<readonly GoldenEnvelope[]> {
  const clock = createManualClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
  const options: Partial<OpenOptions> = { clock, random: createSeededRandom(`golden ${kind}`) }
  const { backend } = await scratch.open({ ...kinds[kind], ...place }, options)
  const envelopes: GoldenEnvelope[] = []
  const tags = new Map([
    ['team', 'blue'],
    ['__proto__', 'z\u00fcrich'],
  ])
  await backend.create({ keyId: 'orders', aliases: ['shop', 'Legacy'], description: 'for "orders"', tags })
  envelopes.push(await seal(backend, 'orders', 'version 1', {}))
  clock.advance(1000)
  const rotated = await backend.rotate('orders', (await backend.describe('orders')).etag)
  envelopes.push(await seal(backend, 'orders', 'version 2', { bucket: 'photos', '\u{1f511}': '\uffff' }))
  await backend.update('orders', { rotationPeriodDays: 90 }, rotated.etag)
  const upper = await backend.create({ keyId: 'Archive.2026', aliases: [], description: '', tags: new Map() })
  envelopes.push(await seal(backend, 'Archive.2026', 'x'.repeat(4096), { a: 'b' }))
  const deletion = {
    state: 'PendingDeletion',
    deletionAt: Date.UTC(2026, 1, 1),
    stateBeforeDeletion: 'Disabled',
  } as const
  await backend.update('Archive.2026', deletion, upper.etag)
  const first = await backend.create({ keyId: 'again', aliases: [], description: '', tags: new Map() })
  await backend.destroy('again', first.etag)
  await backend.create({ keyId: 'again', aliases: [], description: '', tags: new Map() })
  envelopes.push(await seal(backend, 'again', 'after destruction', {}))
  const gone = await backend.create({ keyId: 'gone', aliases: ['left'], description: '', tags: new Map() })
  await backend.destroy('gone', gone.etag)
  await backend.close()
  return envelopes
}

async function filesBelow(path: string): Promise<ReadonlyMap<string, string>> {
  const found = await readdir(path, { recursive: true, withFileTypes: true })
  const files = found.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name))
  const contents = await Promise.all(files.sort().map((file) => readFile(file, 'utf8')))
  return new Map(files.map((file, i) => [file.slice(path.length + 1), contents[i] as string]))
}

describe.each(Object.keys(kinds))('the golden store with a %s root key', (kind) => {
  const golden = join(VECTORS, kind)

  it('is what this release writes, byte for byte', async () => {
    const place = join(scratch.root, `made-${kind}`)
    const envelopes = await makeStore(kind, { key_dir: join(place, 'store') })
    if (kind === 'generated') {
      await mkdir(join(place, 'root-keys'))
      for (const file of await readdir(scratch.rootKeyDir)) {
        await cp(join(scratch.rootKeyDir, file), join(place, 'root-keys', file))
      }
    }
    await writeFile(join(place, 'envelopes.json'), `${JSON.stringify(envelopes, null, 2)}\n`)
    if (write) {
      await rm(golden, { recursive: true, force: true })
      await cp(place, golden, { recursive: true })
    }
    expect(await filesBelow(place)).toEqual(await filesBelow(golden))
  })

  it('opens, and its envelopes unwrap', async () => {
    const keyDir = join(scratch.root, `golden-${kind}`)
    await copyPrivately(join(golden, 'store'), keyDir)
    if (kind === 'generated') await cp(join(golden, 'root-keys'), scratch.rootKeyDir, { recursive: true })
    const { backend, initialised } = await scratch.open({ ...kinds[kind], key_dir: keyDir }, { mayInitialise: false })
    expect(initialised).toBe(false)
    const envelopes = JSON.parse(await readFile(join(golden, 'envelopes.json'), 'utf8')) as readonly GoldenEnvelope[]
    expect(envelopes).toHaveLength(4)
    for (const envelope of envelopes) expect(await open(backend, envelope)).toBe(envelope.plaintext)

    const { keys, unreadable } = await backend.list({ limit: 10 })
    expect(unreadable).toEqual([])
    expect(keys.map(({ keyId, currentVersion, state }) => `${keyId} ${currentVersion} ${state}`)).toEqual([
      'Archive.2026 1 PendingDeletion',
      'again 2 Enabled',
      'orders 2 Enabled',
    ])
    expect(await backend.describe('Legacy')).toMatchObject({
      keyId: 'orders',
      aliases: ['shop', 'Legacy'],
      description: 'for "orders"',
      tags: new Map([
        ['team', 'blue'],
        ['__proto__', 'z\u00fcrich'],
      ]),
      createdAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      rotatedAt: Date.UTC(2026, 0, 2, 3, 4, 6, 678),
      rotationPeriodDays: 90,
      oldestVersion: 1,
    })
    expect(await backend.describe('Archive.2026')).toMatchObject({
      deletionAt: Date.UTC(2026, 1, 1),
      stateBeforeDeletion: 'Disabled',
    })
    const again = await backend.create({ keyId: 'gone', aliases: ['left'], description: '', tags: new Map() })
    expect(again.currentVersion).toBe(2)
  })
})

it('the golden stores are the ones this test knows', async () => {
  const found = (await readdir(VECTORS, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  expect(found.map(({ name }) => name).sort()).toEqual(['independent', ...Object.keys(kinds)].sort())
})
