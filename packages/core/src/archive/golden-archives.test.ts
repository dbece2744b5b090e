import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { openXChaCha } from '../bytes/aead.ts'
import { canonicalContext } from '../context/encryption-context.ts'
import { decodeEnvelope, envelopeAad } from '../envelope/envelope.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { ArchiveEntry } from './archive-entry.ts'
import { ARCHIVE_PREFIX_BYTES, type ArchiveHeader } from './archive-header.ts'
import type { ArchiveSecret } from './archive-key.ts'
import { openArchive } from './open-archive.ts'
import { writeArchive } from './write-archive.ts'

interface Facts {
  readonly realm: string
  readonly created_at: number
  readonly salt: string
  readonly passphrase: {
    readonly passphrase: string
    readonly kdf_salt: string
    readonly memory_kib: number
    readonly iterations: number
    readonly parallelism: number
    readonly entries: number
  }
  readonly key: { readonly key: string; readonly key_id: string; readonly entries: number }
  readonly envelopes: readonly {
    readonly context: Readonly<Record<string, string>>
    readonly plaintext: string
    readonly ciphertext_blob: string
  }[]
}

const fileOf = (name: string): Buffer => readFileSync(new URL(`../../vectors/archives/${name}`, import.meta.url))
const facts = JSON.parse(fileOf('archives.json').toString()) as Facts
const golden = { passphrase: fileOf('passphrase.kmsa'), key: fileOf('key.kmsa') }
const words: ArchiveSecret = { passphrase: facts.passphrase.passphrase }
const key: ArchiveSecret = { key: Buffer.from(facts.key.key, 'hex') }

async function read(
  bytes: Buffer,
  secret: ArchiveSecret,
): Promise<{ readonly header: ArchiveHeader; readonly entries: readonly ArchiveEntry[] }> {
  async function* frames(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(ARCHIVE_PREFIX_BYTES)
  }
  const { header, entries } = await openArchive(bytes.subarray(0, ARCHIVE_PREFIX_BYTES), frames, secret)
  const found: ArchiveEntry[] = []
  for await (const entry of entries()) found.push(entry)
  return { header, entries: found }
}

async function isRefused(bytes: Buffer): Promise<boolean> {
  return read(bytes, key).then(
    () => false,
    (error: unknown) => isKmsError(error, 'ArchiveDamaged', 'ArchiveKeyMismatch', 'UnsupportedArchive'),
  )
}

/** What a writer that draws these would write. */
async function written(
  entries: readonly ArchiveEntry[],
  secret: ArchiveSecret,
  ...drawn: readonly string[]
): Promise<Buffer> {
  const left = drawn.map((hex) => Buffer.from(hex, 'hex'))
  const random = (size: number): Buffer => {
    const next = left.shift()
    expect(next).toHaveLength(size)
    return next as Buffer
  }
  // Writing zeroes material.
  async function* all(): AsyncGenerator<ArchiveEntry> {
    for (const entry of entries) {
      yield entry.kind === 'version' ? { ...entry, material: Buffer.from(entry.material) } : entry
    }
  }
  const parts: Buffer[] = []
  const options = { realm: facts.realm, createdAt: facts.created_at, secret, random }
  for await (const part of writeArchive(all(), options)) parts.push(Buffer.from(part))
  return Buffer.concat(parts)
}

/** Read once: that costs what a passphrase costs. */
const underPassphrase = read(golden.passphrase, words)

describe('an archive that others wrote by the description of the format', () => {
  it('under a passphrase opens, holds what they put in, and is what would be written here', async () => {
    const { header, entries } = await underPassphrase
    const { kdf_salt, memory_kib: memoryKib, iterations, parallelism } = facts.passphrase
    expect(header).toEqual({
      realm: facts.realm,
      createdAt: facts.created_at,
      origin: {
        kind: 'passphrase',
        kdf: { memoryKib, iterations, parallelism },
        salt: Buffer.from(kdf_salt, 'hex'),
      },
    })
    expect(entries).toHaveLength(facts.passphrase.entries)
    const names = entries.map((entry) => ('record' in entry ? entry.record.keyId : entry.kind)).join(' ')
    expect(names).toBe('Archive version master version version version tombstone orders version version')
    const [archive, , master] = entries
    expect(archive).toMatchObject({
      record: {
        description: 'schlüssel 鍵',
        tags: new Map([
          ['team', 'blue'],
          ['__proto__', 'x'],
        ]),
      },
    })
    expect(master).toMatchObject({
      record: { oldestVersion: 2, currentVersion: 4, rotationPeriodDays: 90, aliases: ['main', 'Primary'] },
    })
    expect(entries[6]).toEqual({
      kind: 'tombstone',
      keyId: 'old',
      lastVersion: 7,
      destroyedAt: facts.created_at - 99,
    })
    expect(await written(entries, words, kdf_salt, facts.salt)).toEqual(golden.passphrase)
  })

  it('holds the material that opens envelopes of its keys', async () => {
    const { entries } = await underPassphrase
    for (const { context, plaintext, ciphertext_blob } of facts.envelopes) {
      const envelope = decodeEnvelope(Buffer.from(ciphertext_blob, 'base64'))
      const version = entries.find(
        (entry) => entry.kind === 'version' && entry.keyId === envelope.keyId && entry.version === envelope.version,
      )
      if (version?.kind !== 'version') throw new Error(`${envelope.keyId} ${envelope.version} is missing`)
      expect(version.materialId).toBe(envelope.materialId)
      const aad = envelopeAad(envelope.headerBytes, canonicalContext(new Map(Object.entries(context))))
      expect(openXChaCha(version.material, envelope.wrapped, aad)?.toString('base64')).toBe(plaintext)
    }
    expect(facts.envelopes).toHaveLength(6)
  })

  it('under a key, over several frames, opens, and is what would be written here', async () => {
    const { header, entries } = await read(golden.key, key)
    expect(header.origin).toEqual({ kind: 'key', keyId: Buffer.from(facts.key.key_id, 'hex') })
    expect(entries).toHaveLength(facts.key.entries)
    expect(golden.key.length).toBeGreaterThan(ARCHIVE_PREFIX_BYTES + 65_552)
    expect(entries.filter(({ kind }) => kind === 'gap' || kind === 'ruin')).toEqual([
      { kind: 'gap', keyId: 'worn', version: 2, reason: 'its file is missing' },
      { kind: 'ruin', name: 'worse', reason: 'its file is damaged' },
    ])
    expect(await written(entries, key, facts.salt)).toEqual(golden.key)
  })
})

describe('of a golden archive', () => {
  it('every edited byte of the header, of the edges of each frame and of a sample between shows', async () => {
    const { length } = golden.key
    const edges = [0, 65_552, length - ARCHIVE_PREFIX_BYTES].flatMap((at) => span(at - 40, at + 40))
    const sample = Array.from({ length: 60 }, (_, i) => i * Math.floor(length / 60) + (i % 7))
    const places = [...span(0, ARCHIVE_PREFIX_BYTES), ...edges.map((at) => ARCHIVE_PREFIX_BYTES + at), ...sample]
    for (const at of new Set(places.filter((each) => each >= 0 && each < length))) {
      const changed = Buffer.from(golden.key)
      changed[at] = (changed[at] as number) ^ 0x01
      expect(await isRefused(changed), `byte ${at}`).toBe(true)
    }
  })

  it('every cut at and around the edges shows, and so do frames that change places', async () => {
    const frame = (from: number, to?: number): Buffer => golden.key.subarray(ARCHIVE_PREFIX_BYTES + from, to)
    const prefix = golden.key.subarray(0, ARCHIVE_PREFIX_BYTES)
    for (const at of [0, 59, 60, 123, 124, 125, 124 + 65_551, 124 + 65_552, 124 + 65_553, golden.key.length - 1]) {
      expect(await isRefused(golden.key.subarray(0, at)), `cut at ${at}`).toBe(true)
    }
    const [first, rest] = [frame(0, ARCHIVE_PREFIX_BYTES + 65_552), frame(65_552)]
    for (const parts of [[rest], [rest, first], [first, first, rest], [first, rest, rest]]) {
      expect(await isRefused(Buffer.concat([prefix, ...parts]))).toBe(true)
    }
    expect(await isRefused(Buffer.concat([prefix, first, rest]))).toBe(false)
  })
})

function span(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}
