// Bodies against node:crypto alone on the same bytes, and what an object costs beyond its body. All contestants take turns in many short
// rounds, and what is measured is processor time, so that whatever else the machine does hits them little and alike. Build first (`npm run build`), then: node bench/objects.mjs
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto'
import { createServerKey, encodeEnvelope, encodeEnvelopeHeader } from '@kms/core'
import { CustomerKey, createObjectCipher } from '@kms/sse'

const ROUNDS = 101
const BODY = 8 * 1024 * 1024
const FRAME = 65_536
const OBJECTS = 50

const name = { bucket: 'bench', key: 'an/object/of/some/length.bin' }
const authorize = () => {}
const cipher = createObjectCipher({ keys: instantKms(), serverKeys: { current: createServerKey(randomBytes(32)) } })
const modes = {
  plain: { mode: 'plain' },
  'SSE-S3': { mode: 'SSE-S3', bucketKey: false },
  'SSE-KMS': { mode: 'SSE-KMS', context: new Map(), bucketKey: false },
  'SSE-KMS, bucket key': { mode: 'SSE-KMS', context: new Map(), bucketKey: true },
  'SSE-C': { mode: 'SSE-C', customerKey: new CustomerKey(randomBytes(32)) },
}

const plaintext = randomBytes(BODY)
const key = createSecretKey(randomBytes(32))
// Where frames lie in what a store keeps: an AES of other alignment is another speed.
const framed = Buffer.concat([Buffer.alloc(76), ...[...cut(plaintext, FRAME)].flatMap(sealFrame)])
const raw = [...cut(framed.subarray(76), FRAME + 16)].map((frame) => [frame.subarray(0, -16), frame.subarray(-16)])
const stored = await write(modes['SSE-KMS'], [plaintext], BODY)

console.log(`bodies of ${BODY >> 20} MiB, ${ROUNDS} rounds; ratio to node:crypto, one cipher per 64 KiB`)
for (const kib of [16, 64, 256, 1024]) {
  const chunks = [...cut(plaintext, kib * 1024)]
  const sealed = [...cut(stored.body, kib * 1024)]
  const times = await compete({
    'raw encrypt': () => {
      for (const frame of cut(plaintext, FRAME)) sealFrame(frame)
    },
    encrypt: () => drain(() => sealing(modes['SSE-KMS'], chunks, BODY)),
    'encrypt, size unknown': () => drain(() => sealing(modes['SSE-KMS'], chunks, undefined)),
    'raw decrypt': () => {
      for (const frame of raw) openFrame(frame)
    },
    decrypt: () => drain(() => reading(stored.record, sealed)),
  })
  for (const [own, base] of [
    ['encrypt', 'raw encrypt'],
    ['encrypt, size unknown', 'raw encrypt'],
    ['decrypt', 'raw decrypt'],
  ]) {
    const rate = (BODY / 1e6 / (quantile(times[own], 0.1) / 1000)).toFixed(0)
    const ratios = times[own].map((time, round) => times[base][round] / time)
    const best = (quantile(times[base], 0.1) / quantile(times[own], 0.1)).toFixed(2)
    console.log(
      `${`${kib} KiB chunks, ${own}`.padEnd(40)} ${rate.padStart(5)} MB/s  ratio of the best tenths ${best}, by round ${summary(ratios)}`,
    )
  }
}

console.log(`\nobjects of 1 byte, with a KMS that answers at once; µs each`)
const records = {}
for (const [label, mode] of Object.entries(modes)) records[label] = await write(mode, [plaintext.subarray(0, 1)], 1)
const contestants = {}
for (const [label, mode] of Object.entries(modes)) {
  contestants[`${label}: write`] = () => repeat(() => write(mode, [plaintext.subarray(0, 1)], 1))
  contestants[`${label}: read`] = () =>
    repeat(() => drain(() => reading(records[label].record, [records[label].body], mode.customerKey)))
  contestants[`${label}: inspect`] = () => repeat(() => cipher.inspect(name, records[label].record.metadata))
}
const times = await compete(contestants)
for (const [label, own] of Object.entries(times)) {
  console.log(`${label.padEnd(30)} ${summary(own.map((time) => (time * 1000) / OBJECTS))}`)
}

async function compete(entries) {
  const measured = Object.fromEntries(Object.keys(entries).map((label) => [label, []]))
  for (let round = -5; round < ROUNDS; round++) {
    for (const [label, run] of Object.entries(entries)) {
      const start = process.cpuUsage()
      await run()
      const { user, system } = process.cpuUsage(start)
      if (round >= 0) measured[label].push((user + system) / 1000)
    }
  }
  return measured
}

async function repeat(run) {
  for (let count = 0; count < OBJECTS; count++) await run()
}

async function sealing(encryption, source, size) {
  const begun = await cipher.beginWrite({ name, encryption, authorize, ...(size === undefined ? {} : { size }) })
  return begun.seal(source)
}

async function reading(record, source, customerKey) {
  const object = await cipher.openForRead({ name, record, customerKey, authorize })
  return object.read(async function* () {
    for (const chunk of source) yield chunk
  })
}

async function write(encryption, source, size) {
  const begun = await cipher.beginWrite({ name, encryption, authorize, size })
  const chunks = []
  for await (const chunk of begun.seal(source)) chunks.push(chunk)
  return { record: begun.finish().record, body: Buffer.concat(chunks) }
}

async function drain(start) {
  let size = 0
  for await (const chunk of await start()) size += chunk.length
  return size
}

function sealFrame(frame) {
  const aead = createCipheriv('aes-256-gcm', key, Buffer.alloc(12))
  const sealed = aead.update(frame)
  aead.final()
  return [sealed, aead.getAuthTag()]
}

function openFrame([sealed, tag]) {
  const aead = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12))
  aead.setAuthTag(tag)
  const frame = aead.update(sealed)
  aead.final()
  return frame
}

function* cut(bytes, size) {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size)
}

/** A KMS that costs nothing: it remembers what it wrapped. */
function instantKms() {
  const use = { realm: '00'.repeat(16), keyId: 'master', keyVersion: 1 }
  const header = encodeEnvelopeHeader({ ...use, version: 1, algorithm: 0x80, materialId: '00'.repeat(16) })
  const wrapped = new Map()
  return {
    admitWrap: async () => use,
    admitUnwrap: async () => use,
    async wrap({ plaintext: bytes }) {
      const id = randomBytes(60)
      if (wrapped.size > 100_000) wrapped.clear()
      wrapped.set(id.toString('latin1'), Buffer.from(bytes))
      return { ...use, envelope: encodeEnvelope(header, id) }
    },
    unwrap: async ({ envelope }) => Buffer.from(wrapped.get(envelope.subarray(-60).toString('latin1'))),
  }
}

function quantile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]
}

function summary(values) {
  const at = (share) => quantile(values, share).toFixed(2)
  return `median ${at(0.5)} (${at(0.1)} to ${at(0.9)})`
}
