import { Buffer } from 'node:buffer'
import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lp } from '../bytes/framing.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import { sealFrames } from '../stream/frame-stream.ts'
import type { ArchivedVersion, ArchiveEntry } from './archive-entry.ts'
import { ARCHIVE_PREFIX_BYTES, type ArchiveHeader, encodeArchiveHead } from './archive-header.ts'
import { type ArchiveSecret, archiveKeys, originOf } from './archive-key.ts'
import { encodeEnd, encodeEntry } from './entry-codec.ts'
import { openArchive } from './open-archive.ts'
import { writeArchive } from './write-archive.ts'

const REALM = '00112233445566778899aabbccddeeff'
const AT = Date.UTC(2026, 0, 2)
const key: ArchiveSecret = { key: Buffer.alloc(32, 7) }
/** Cheap. */
const kdf = { memoryKib: 8192, iterations: 1, parallelism: 1 }

function keyOf(keyId: string, more: Partial<KeyRecord> = {}): ArchiveEntry {
  return {
    kind: 'key',
    record: {
      keyId,
      aliases: [],
      description: '',
      tags: new Map(),
      state: 'Enabled',
      createdAt: AT,
      currentVersion: 1,
      oldestVersion: 1,
      materialId: '0'.repeat(32),
      origin: 'KMS',
      etag: '0123456789abcdef',
      ...more,
    },
  }
}

function versionOf(keyId: string, version = 1): ArchivedVersion {
  const material = createHash('sha256').update(`${keyId} ${version}`).digest()
  return { kind: 'version', keyId, version, createdAt: AT, materialId: material.toString('hex', 0, 16), material }
}

const FEW: readonly ArchiveEntry[] = [
  keyOf('A'),
  versionOf('A'),
  keyOf('b', { currentVersion: 3, oldestVersion: 2, description: 'ü', tags: new Map([['__proto__', 'x']]) }),
  versionOf('b', 2),
  { kind: 'gap', keyId: 'b', version: 3, reason: 'its file is damaged' },
  { kind: 'tombstone', keyId: 'c', lastVersion: 4, destroyedAt: AT },
  { kind: 'ruin', name: 'd~0', reason: 'its file is damaged' },
]

/** Copies: writing zeroes material. */
async function* some(entries: readonly ArchiveEntry[]): AsyncGenerator<ArchiveEntry> {
  for (const entry of entries) {
    yield entry.kind === 'version' ? { ...entry, material: Buffer.from(entry.material) } : entry
  }
}

async function joined(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of source) parts.push(Buffer.from(part))
  return Buffer.concat(parts)
}

function write(entries: readonly ArchiveEntry[], secret: ArchiveSecret = key): Promise<Buffer> {
  return joined(writeArchive(some(entries), { realm: REALM, createdAt: AT, secret, random: randomBytes, kdf }))
}

async function read(
  bytes: Uint8Array,
  secret: ArchiveSecret = key,
): Promise<{ readonly header: ArchiveHeader; readonly entries: readonly ArchiveEntry[] }> {
  const prefix = Buffer.from(bytes.subarray(0, ARCHIVE_PREFIX_BYTES))
  async function* frames(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(ARCHIVE_PREFIX_BYTES)
  }
  const { header, entries } = await openArchive(prefix, frames, secret)
  const found: ArchiveEntry[] = []
  for await (const entry of entries()) found.push(entry)
  return { header, entries: found }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isKmsError(error) ? error.code : String(error)
  }
  return 'none'
}

/** What somebody who has the key makes of any plaintext. */
async function forge(...parts: readonly Uint8Array[]): Promise<Buffer> {
  const origin = originOf(key, randomBytes)
  const head = encodeArchiveHead({ realm: REALM, createdAt: AT, origin })
  const salt = randomBytes(32)
  const { cipherKey, commitment } = await archiveKeys(key, origin, head, salt)
  return Buffer.concat([head, salt, commitment, await joined(sealFrames(parts, cipherKey))])
}

/** With an end that fits, unless it is told otherwise. */
function forgeEntries(entries: readonly ArchiveEntry[], ...more: readonly Uint8Array[]): Promise<Buffer> {
  const parts = entries.map(encodeEntry)
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return forge(...parts, encodeEnd({ entries: parts.length, sha256: hash.digest('hex') }), ...more)
}

describe('an archive', () => {
  it('gives back what was put into it', async () => {
    const { header, entries } = await read(await write(FEW))
    expect(header).toMatchObject({ realm: REALM, createdAt: AT, origin: { kind: 'key' } })
    expect(entries).toEqual(FEW)
    expect((await read(await write([]))).entries).toEqual([])
  })

  it('gives back any keys, whatever is written on them and however many frames they fill', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 })
    const record = fc
      .record({
        aliases: fc.array(text, { maxLength: 5 }),
        description: fc.oneof(text, fc.constant('x'.repeat(65_536))),
        tags: fc.array(fc.tuple(text, text), { maxLength: 5 }).map((pairs) => new Map(pairs)),
        state: fc.constantFrom('Enabled', 'Disabled', 'PendingDeletion'),
        versions: fc.integer({ min: 1, max: 40 }),
        oldestVersion: fc.constantFrom(1, 2, 0xffff_ffff - 60),
        rotatedAt: fc.option(fc.nat(), { nil: undefined }),
        rotationPeriodDays: fc.option(fc.integer({ min: 1, max: 3650 }), { nil: undefined }),
        origin: fc.constantFrom('KMS', 'EXTERNAL'),
      })
      .map(
        ({ versions, rotatedAt, rotationPeriodDays, ...rest }): Partial<KeyRecord> => ({
          ...rest,
          currentVersion: rest.oldestVersion + versions - 1,
          ...(rotatedAt === undefined ? {} : { rotatedAt }),
          ...(rotationPeriodDays === undefined ? {} : { rotationPeriodDays }),
        }),
      )
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 6 }), async (records) => {
        const entries = records.flatMap((more, i) => {
          const id = `key${i}`
          const { oldestVersion = 1, currentVersion = 1 } = more
          const versions = Array.from({ length: currentVersion - oldestVersion + 1 }, (_, n) =>
            versionOf(id, oldestVersion + n),
          )
          return [keyOf(id, more), ...versions]
        })
        expect((await read(await write(entries))).entries).toEqual(entries)
      }),
      { numRuns: 40 },
    )
  })

  it('shows nothing of what is in it', async () => {
    const bytes = await write(FEW)
    for (const { material } of FEW.filter((entry) => entry.kind === 'version')) {
      expect(bytes.includes(material)).toBe(false)
      expect(bytes.includes(material.toString('base64'))).toBe(false)
    }
    expect(bytes.includes('tombstone')).toBe(false)
    expect((await write(FEW)).equals(bytes)).toBe(false)
  })

  it('zeroes the material it was given', async () => {
    const version = versionOf('a')
    async function* one(): AsyncGenerator<ArchiveEntry> {
      yield keyOf('a')
      yield version
    }
    await joined(writeArchive(one(), { realm: REALM, createdAt: AT, secret: key, random: randomBytes }))
    expect(version.material).toEqual(Buffer.alloc(32))
  })

  it('opens with its passphrase, and with nothing else', async () => {
    const words = { passphrase: 'correct horse battery staple' }
    const bytes = await write(FEW, words)
    expect((await read(bytes, words)).entries).toEqual(FEW)
    expect(await codeOf(read(bytes, { passphrase: 'correct horse battery stable' }))).toBe('ArchiveKeyMismatch')
    expect(await codeOf(read(bytes, key))).toBe('ArchiveKeyMismatch')
    const other = await write(FEW)
    expect(await codeOf(read(other, { key: Buffer.alloc(32, 8) }))).toBe('ArchiveKeyMismatch')
    expect(await codeOf(read(other, words))).toBe('ArchiveKeyMismatch')
  })

  it('costs what Argon2id should cost today, unless a test makes it cheaper', () => {
    const origin = originOf({ passphrase: 'x' }, randomBytes)
    expect(origin).toMatchObject({ kdf: { memoryKib: 65_536, iterations: 3, parallelism: 4 } })
  })
})

describe('what happened to an archive on its way shows', () => {
  const DAMAGED = /^(?:ArchiveDamaged|ArchiveKeyMismatch|UnsupportedArchive)$/

  it('cut off at any byte', async () => {
    const bytes = await write(FEW)
    for (let length = 0; length < bytes.length; length++) {
      expect(await codeOf(read(bytes.subarray(0, length)))).toBe('ArchiveDamaged')
    }
  })

  it('any bit turned, anywhere', async () => {
    const bytes = await write(FEW)
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      expect(await codeOf(read(changed)), `byte ${at}`).toMatch(DAMAGED)
    }
  })

  it('something added', async () => {
    const bytes = await write(FEW)
    expect(await codeOf(read(Buffer.concat([bytes, Buffer.of(0)])))).toBe('ArchiveDamaged')
    expect(await codeOf(read(Buffer.concat([bytes, bytes])))).toBe('ArchiveDamaged')
  })

  it('frames left out, moved, doubled, or taken from another archive of the same key', async () => {
    const large = (mark: string): Promise<Buffer> =>
      write([0, 1, 2, 3].flatMap((i) => [keyOf(`k${i}`, { description: mark.repeat(60_000) }), versionOf(`k${i}`)]))
    const [one, other] = [await large('a'), await large('b')]
    const frames = Array.from({ length: 5 }, (_, i) => {
      const start = ARCHIVE_PREFIX_BYTES + i * 65_552
      return one.subarray(start, start + 65_552)
    }).filter(({ length }) => length > 0)
    expect(frames.length).toBe(4)
    const prefix = one.subarray(0, ARCHIVE_PREFIX_BYTES)
    const [a, b, c, d] = frames as [Buffer, Buffer, Buffer, Buffer]
    expect((await read(Buffer.concat([prefix, a, b, c, d]))).entries).toHaveLength(8)
    const wrong = [
      [a, c, d],
      [b, a, c, d],
      [a, b, b, c, d],
      [a, b, c],
      [d],
      [],
      [a, other.subarray(ARCHIVE_PREFIX_BYTES + 65_552, ARCHIVE_PREFIX_BYTES + 2 * 65_552), c, d],
    ]
    for (const these of wrong) expect(await codeOf(read(Buffer.concat([prefix, ...these])))).toBe('ArchiveDamaged')
  })

  it('another realm, time or cost written on it', async () => {
    const words = { passphrase: 'correct horse battery staple' }
    const bytes = await write(FEW, words)
    const { header } = await read(bytes, words)
    const { origin } = header as { origin: { kind: 'passphrase'; kdf: typeof kdf; salt: Buffer } }
    const others: readonly ArchiveHeader[] = [
      { ...header, realm: 'f'.repeat(32) },
      { ...header, createdAt: AT + 1 },
      { ...header, origin: { ...origin, kdf: { ...kdf, iterations: 2 } } },
    ]
    for (const other of others) {
      const changed = Buffer.concat([encodeArchiveHead(other), bytes.subarray(60)])
      expect(await codeOf(read(changed, words))).toBe('ArchiveKeyMismatch')
    }
    const costly = [
      { ...kdf, memoryKib: 0xffff_ffff },
      { ...kdf, iterations: 1000 },
      { ...kdf, parallelism: 0 },
    ]
    for (const each of costly) {
      const head = encodeArchiveHead({ ...header, origin: { ...origin, kdf: each } })
      expect(await codeOf(read(Buffer.concat([head, bytes.subarray(60)]), words))).toBe('ArchiveDamaged')
    }
  })

  it('a format or a kind of key that is not known yet', async () => {
    const bytes = await write(FEW)
    for (const at of [4, 5]) {
      const changed = Buffer.from(bytes)
      changed[at] = 9
      expect(await codeOf(read(changed))).toBe('UnsupportedArchive')
    }
  })
})

describe('what nobody writes is refused, even sealed with the right key', () => {
  const [a, a1, b, b2, gap] = FEW as [ArchiveEntry, ArchiveEntry, ArchiveEntry, ArchiveEntry, ArchiveEntry]
  const raw = (name: string, body: string): Buffer => Buffer.concat([lp(name), lp(body)])

  it('is told from what is written', async () => {
    expect((await read(await forgeEntries(FEW))).entries).toEqual(FEW)
  })

  it.each<[string, readonly ArchiveEntry[]]>([
    ['keys that descend', [b, b2, gap, a, a1]],
    ['a key twice', [a, a1, a, a1]],
    ['a version twice', [a, a1, a1]],
    ['versions that descend', [b, gap, b2]],
    ['a version that is missing', [b, b2]],
    ['a first version that is missing', [b, gap]],
    ['a key without its versions', [a, b, b2, gap]],
    ['a version of no key', [a1]],
    ['a version of another key', [a, versionOf('b', 1)]],
    ['a version after a tombstone', [{ kind: 'tombstone', keyId: 'A', lastVersion: 1, destroyedAt: 1 }, a1]],
    ['a version beyond the current one', [a, a1, versionOf('A', 2)]],
    ['versions the wrong way round', [keyOf('a', { oldestVersion: 2, currentVersion: 1 })]],
    ['an id that is none', [keyOf('a b'), versionOf('a b')]],
    ['material that is too short', [a, { ...versionOf('A'), material: Buffer.alloc(31) }]],
  ])('%s', async (_, entries) => {
    expect(await codeOf(read(await forgeEntries(entries)))).toBe('ArchiveDamaged')
  })

  it('an end that does not fit, comes too early, or does not come', async () => {
    const bytes = [a, a1].map(encodeEntry)
    const sha256 = createHash('sha256').update(Buffer.concat(bytes)).digest('hex')
    const end = encodeEnd({ entries: 2, sha256 })
    expect((await read(await forge(...bytes, end))).entries).toHaveLength(2)
    const wrong = [
      bytes,
      [...bytes, encodeEnd({ entries: 3, sha256 })],
      [...bytes, encodeEnd({ entries: 2, sha256: sha256.replace(/./, (d) => (d === '0' ? '1' : '0')) })],
      [...bytes, end, end],
      [...bytes, end, Buffer.of(0)],
      [encodeEntry(a), encodeEnd({ entries: 1, sha256: createHash('sha256').update(encodeEntry(a)).digest('hex') })],
      [],
    ]
    for (const parts of wrong) expect(await codeOf(read(await forge(...parts)))).toBe('ArchiveDamaged')
  })

  it('names, bodies and lengths that are none', async () => {
    const wrong = [
      raw('other/x', '{}'),
      raw('tombstone/x/1', '{"last_version":1,"destroyed_at":1}'),
      raw('tombstone/x', '{"last_version":1,"destroyed_at":1,"more":1}'),
      raw('tombstone/x', '{"last_version":1,"last_version":1,"destroyed_at":1}'),
      raw('tombstone/x', '{"last_version":0,"destroyed_at":1}'),
      raw('tombstone/x', 'x'),
      raw('version/x/01', '{}'),
      raw('key/x', '[]'),
      Buffer.from('ffffffff', 'hex'),
      Buffer.concat([lp('tombstone/x'), Buffer.from('7fffffff', 'hex')]),
    ]
    for (const part of wrong) expect(await codeOf(read(await forge(part, Buffer.alloc(10))))).toBe('ArchiveDamaged')
  })
})
