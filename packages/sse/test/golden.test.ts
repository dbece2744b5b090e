import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  canonicalContext,
  createServerKey,
  decodeEnvelope,
  encodeEnvelope,
  encodeEnvelopeHeader,
  envelopeAad,
  kmsError,
  XCHACHA20_POLY1305,
} from '@kms/core'
import { openXChaCha, sealXChaCha } from '@kms/core/internal'
import { describe, expect, it } from 'vitest'
import {
  CustomerKey,
  createObjectCipher,
  type KeyWrapping,
  keyUseOf,
  type OfflineKey,
  type WriteEncryption,
} from '../src/index.ts'
import { anyone, chunksOf, fetchFrom, get, joined, pattern } from './memory-store.ts'

type Pairs = readonly (readonly [string, string])[]

interface GoldenObject {
  readonly name: string
  readonly mode: 'plain' | 'SSE-S3' | 'SSE-KMS' | 'SSE-C'
  readonly bucket: string
  readonly key: string
  readonly key_name?: string
  readonly context?: Pairs
  readonly headers?: Pairs
  readonly checksums?: Pairs
  readonly bucket_key?: boolean
  readonly offline?: boolean
  readonly size?: number
  readonly parts?: readonly (readonly [number, number])[]
  readonly part_checksums?: readonly Pairs[]
  readonly etag: string
  readonly randoms: Readonly<Record<string, string>>
  readonly bodies: readonly { readonly size: number; readonly sha256: string }[]
  readonly metadata: string
  readonly part_table: string
  readonly keys: string
  readonly upload?: string
  readonly part_records?: readonly string[]
}

interface Golden {
  readonly server_key: string
  readonly realm: string
  readonly material_id: string
  readonly kms_key: string
  readonly key_id: string
  readonly version: number
  readonly objects: readonly GoldenObject[]
}

const golden = JSON.parse(readFileSync(new URL('../vectors/objects.json', import.meta.url), 'utf8')) as Golden
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const material = hex(golden.kms_key)
const use = { realm: golden.realm, keyId: golden.key_id, keyVersion: golden.version }

/** The one key the golden objects were made with. */
function goldenKms(random: (size: number) => Buffer, running = true): KeyWrapping {
  const awake = () => {
    if (!running) throw kmsError('NotRunning', { status: 'Configured' })
  }
  return {
    async admitWrap() {
      awake()
      return use
    },
    async admitUnwrap() {
      awake()
      return use
    },
    async wrap({ context, plaintext }) {
      const header = encodeEnvelopeHeader({
        algorithm: XCHACHA20_POLY1305,
        realm: golden.realm,
        materialId: golden.material_id,
        version: golden.version,
        keyId: golden.key_id,
      })
      const aad = envelopeAad(header, canonicalContext(context))
      return { ...use, envelope: encodeEnvelope(header, sealXChaCha(material, plaintext, aad, random)) }
    },
    async unwrap({ envelope, context }) {
      awake()
      const { headerBytes, wrapped } = decodeEnvelope(envelope)
      const plaintext = openXChaCha(material, wrapped, envelopeAad(headerBytes, canonicalContext(context)))
      if (plaintext === undefined) throw kmsError('InvalidCiphertext')
      return plaintext
    },
  }
}

/** A cipher that draws the golden randoms, in the order this implementation asks for them; without any, it only reads. */
function cipherOf(object: GoldenObject, order: readonly string[] = [], running = true) {
  const names = [...order]
  const random = (size: number): Buffer => {
    const name = names.shift() ?? expect.fail('no more randomness was expected')
    const bytes = hex(object.randoms[name] ?? expect.fail(`there is no "${name}"`))
    expect(bytes.length, name).toBe(size)
    return bytes
  }
  const key: OfflineKey | undefined =
    object.offline === true
      ? { id: hex(object.randoms['offline key id'] ?? ''), key: hex(object.randoms['offline key'] ?? '') }
      : undefined
  const offline = { forWriting: async () => key, forReading: async () => (running ? undefined : key) }
  const serverKeys = { current: createServerKey(hex(golden.server_key)) }
  const cipher = createObjectCipher({ keys: goldenKms(random, running), serverKeys, offline, random })
  return { cipher, done: () => expect(names).toEqual([]) }
}

function encryptionOf(object: GoldenObject): WriteEncryption {
  const { mode, bucket_key: bucketKey = false, context = [], key_name: keyName } = object
  switch (mode) {
    case 'plain':
      return { mode }
    case 'SSE-S3':
      return { mode, bucketKey }
    case 'SSE-KMS':
      return { mode, bucketKey, context: new Map(context), ...(keyName === undefined ? {} : { keyName }) }
    case 'SSE-C':
      return { mode, customerKey: new CustomerKey(hex(object.randoms['customer key'] ?? '')) }
  }
}

/** What is drawn before the first byte of a body. */
function keyOrder({ mode, bucket_key: bucketKey, offline }: GoldenObject): string[] {
  if (mode === 'plain') return ['write id']
  const seal = mode === 'SSE-C' ? ['seal salt'] : []
  const wrap = bucketKey === true ? ['bucket key', 'envelope nonce', 'bucket key id', 'seal salt'] : ['envelope nonce']
  const copy = offline === true ? ['offline salt'] : []
  return ['write id', 'object key', ...(mode === 'SSE-C' ? seal : wrap), ...copy, 'record key']
}

const plaintextOf = ({ name }: GoldenObject, number: number, size: number) =>
  pattern(size, `${name} plaintext ${number}`)
const digestOf = (body: Buffer) => ({ size: body.length, sha256: createHash('sha256').update(body).digest('hex') })
const randomEtag = (mode: GoldenObject['mode']) => mode === 'SSE-KMS' || mode === 'SSE-C'

/** Writes a golden object anew; checks every byte of it on the way. */
async function write(object: GoldenObject): Promise<Buffer> {
  const { bucket, key, headers = [], checksums = [], mode } = object
  const name = { bucket, key }
  const encryption = encryptionOf(object)
  const customerKey = encryption.mode === 'SSE-C' ? encryption.customerKey : undefined
  const encrypted = mode !== 'plain'
  if (object.parts === undefined) {
    const order = [...keyOrder(object), ...(encrypted ? ['salt 0'] : [])]
    const { cipher, done } = cipherOf(object, [
      ...order,
      ...(randomEtag(mode) ? ['etag 0'] : []),
      ...(encrypted ? ['metadata nonce'] : []),
    ])
    const begun = await cipher.beginWrite({ name, encryption, authorize: anyone })
    const body = await joined(begun.seal([plaintextOf(object, 0, object.size ?? 0)]))
    const { record } = begun.finish({ headers: new Map(headers), checksums: new Map(checksums) })
    expect(record.keys.toString('hex')).toBe(object.keys)
    expect(record.parts.toString('hex')).toBe(object.part_table)
    expect(record.metadata.toString('hex')).toBe(object.metadata)
    expect([digestOf(body)]).toEqual(object.bodies)
    done()
    return body
  }
  const numbers = object.parts.map(([number]) => number)
  const ofPart = (number: number) => [
    ...(encrypted ? [`salt ${number}`] : []),
    ...(randomEtag(mode) ? [`etag ${number}`] : []),
    ...(encrypted ? [`part nonce ${number}`] : []),
  ]
  const { cipher, done } = cipherOf(object, [
    ...keyOrder(object),
    'upload nonce',
    ...numbers.flatMap(ofPart),
    ...(randomEtag(mode) ? ['etag'] : []),
    ...(encrypted && object.part_checksums !== undefined ? ['parts nonce'] : []),
    ...(encrypted ? ['metadata nonce'] : []),
  ])
  const { upload } = await cipher.beginUpload({ name, encryption, authorize: anyone, headers: new Map(headers) })
  expect(upload.toString('hex')).toBe(object.upload)
  const bodies: Buffer[] = []
  for (const [index, [number, size]] of object.parts.entries()) {
    const part = await cipher.sealPart({ name, upload, number, customerKey, authorize: anyone, size })
    bodies.push(await joined(part.seal(chunksOf(plaintextOf(object, number, size), 30_000))))
    const own = new Map(object.part_checksums?.[index])
    expect(part.finish({ checksums: own }).part.toString('hex')).toBe(object.part_records?.[index])
  }
  const parts = (object.part_records ?? []).map(hex)
  const { record } = await cipher.completeUpload({ name, upload, parts, checksums: new Map(checksums) })
  expect(record.keys.toString('hex')).toBe(object.keys)
  expect(record.parts.toString('hex')).toBe(object.part_table)
  expect(record.metadata.toString('hex')).toBe(object.metadata)
  expect(bodies.map(digestOf)).toEqual(object.bodies)
  done()
  return Buffer.concat(bodies)
}

describe.each(golden.objects)('golden object: $name', (object) => {
  const name = { bucket: object.bucket, key: object.key }
  const record = { metadata: hex(object.metadata), parts: hex(object.part_table), keys: hex(object.keys) }
  const customerKey = object.mode === 'SSE-C' ? new CustomerKey(hex(object.randoms['customer key'] ?? '')) : undefined
  const plaintext = Buffer.concat(
    (object.parts ?? [[0, object.size ?? 0] as const]).map(([number, size]) => plaintextOf(object, number, size)),
  )

  it('is written byte for byte, and opens', async () => {
    const body = await write(object)
    const { cipher } = cipherOf(object)
    expect((await get(cipher, name, { record, body }, { customerKey })).equals(plaintext)).toBe(true)
    if (plaintext.length === 0) return
    const range = { start: plaintext.length >> 1, end: plaintext.length - 1 }
    const read = await get(cipher, name, { record, body }, { customerKey, range })
    expect(read.equals(plaintext.subarray(range.start))).toBe(true)
  })

  it('says what it is', () => {
    const { cipher } = cipherOf(object)
    expect(cipher.inspect(name, record.metadata)).toEqual({
      mode: object.mode,
      keyName: object.mode === 'SSE-KMS' ? (object.key_name ?? golden.key_id) : undefined,
      bucketKey: object.bucket_key ?? false,
      size: plaintext.length,
      etag: object.etag,
      checksums: new Map(object.checksums),
      headers: new Map(object.headers),
      partCount: object.parts?.length ?? 0,
    })
    const needsKms = object.mode === 'SSE-S3' || object.mode === 'SSE-KMS'
    expect(keyUseOf(record.keys)).toEqual(needsKms ? use : undefined)
    const checksums = object.part_checksums ?? object.parts?.map((): Pairs => [])
    expect(cipher.inspectObjectParts(name, record).map((part) => [part.number, part.size, part.checksums])).toEqual(
      (object.parts ?? []).map(([number, size], index) => [number, size, new Map(checksums?.[index])]),
    )
    if (object.upload === undefined) return
    const upload = hex(object.upload)
    expect(cipher.inspectUpload(name, upload)).toMatchObject({ mode: object.mode, headers: new Map(object.headers) })
    const parts = cipher.inspectParts(name, upload, (object.part_records ?? []).map(hex))
    expect(parts.map(({ number, size }) => [number, size])).toEqual(object.parts)
  })
})

describe.each(golden.objects.filter(({ offline }) => offline === true))('golden object: $name', (object) => {
  it('opens offline', async () => {
    const body = await write(object)
    const { cipher } = cipherOf(object, [], false)
    const name = { bucket: object.bucket, key: object.key }
    const record = { metadata: hex(object.metadata), parts: hex(object.part_table), keys: hex(object.keys) }
    const opened = await cipher.openForRead({ name, record, authorize: anyone })
    expect(await joined(opened.read(fetchFrom(body)))).toEqual(plaintextOf(object, 0, object.size ?? 0))
  })
})
