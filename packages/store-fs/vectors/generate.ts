import { Buffer } from 'node:buffer'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openFsObjectStore } from '../src/fs-object-store.ts'

// Writes vectors/store anew. Only for a new format: what is there must be readable for ever.
const directory = join(import.meta.dirname, 'store')
await rm(directory, { recursive: true, force: true })
const store = await openFsObjectStore({ directory, clock: { now: () => 1_800_000_000_000, after: () => () => {} } })
await store.createBucket('empty')
await store.createBucket('letters')
await store.putBucketSetting('letters', 'policy', Buffer.from('{}'))

async function* body(text: string): AsyncGenerator<Uint8Array, void> {
  if (text !== '') yield Buffer.from(text)
}
const uses = [{ realm: '00112233445566778899aabbccddeeff', keyId: 'orders', version: 2 }]
const blobs = { metadata: Buffer.from('metadata'), keys: Buffer.from('keys'), tags: Buffer.from('tags') }
for (const [key, text] of [
  ['plain', 'a body'],
  ['nothing', ''],
  ['\u0000/../é\u{10ffff}', 'an odd key'],
] as const) {
  await store.putObject({ bucket: 'letters', key, body: body(text), uses, finish: () => blobs })
}
for (const key of ['parts', 'open']) {
  const name = { bucket: 'letters', key }
  const { uploadId } = await store.createUpload({ ...name, ...blobs, uses })
  const parts = []
  for (const number of [1, 9]) {
    const finish = () => ({ metadata: Buffer.from(`part ${number}`) })
    parts.push(await store.putPart({ ...name, uploadId, number, body: body(`part ${number} `), finish }))
  }
  if (key === 'parts') {
    const object = { ...blobs, parts: Buffer.from('table') }
    await store.completeUpload({ ...name, uploadId, parts, object })
  }
}
await store.close()
await rm(join(directory, 'index', 'lock.mdb'))
