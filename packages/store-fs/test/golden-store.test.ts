import { Buffer } from 'node:buffer'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectStore } from '@kms/s3-api'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { auditStore } from './audit.ts'
import { type Scratch, scratchStore } from './scratch.ts'

let scratch: Scratch
let store: ObjectStore

beforeEach(async () => {
  scratch = await scratchStore()
  await cp(join(import.meta.dirname, '..', 'vectors', 'store'), scratch.directory, { recursive: true })
  store = await scratch.open()
})
afterEach(() => scratch.cleanup())

const bucket = 'letters'
const uses = [{ realm: '00112233445566778899aabbccddeeff', keyId: 'orders', version: 2 }]
const blobs = { metadata: Buffer.from('metadata'), keys: Buffer.from('keys') }

async function bodyOf(key: string): Promise<string> {
  const opened = await store.openObject({ bucket, key })
  let text = ''
  for await (const chunk of opened?.read({ start: 0, end: opened.size }) ?? []) text += chunk.toString()
  await opened?.close()
  return text
}

it('what the first format holds is read', async () => {
  const { buckets } = await store.listBuckets({ limit: 10 })
  expect(buckets.map(({ name, created }) => [name, created])).toEqual([
    ['empty', 1_800_000_000_000],
    ['letters', 1_800_000_000_000],
  ])
  expect(buckets[1]?.settings.get('policy')).toEqual(Buffer.from('{}'))
  const { entries } = await store.listObjects({ bucket, limit: 10 })
  expect(entries.map((entry) => (entry.kind === 'object' ? entry.object : entry))).toMatchObject([
    { key: '\u0000/../é\u{10ffff}', size: 10, ...blobs, uses, modified: 1_800_000_000_000 },
    { key: 'nothing', size: 0, ...blobs, uses },
    { key: 'parts', size: 14, ...blobs, uses, uploadId: expect.stringMatching(/^[0-9a-f]{48}$/) as unknown },
    { key: 'plain', size: 6, ...blobs, uses },
  ])
  expect(await bodyOf('\u0000/../é\u{10ffff}')).toBe('an odd key')
  expect(await bodyOf('nothing')).toBe('')
  expect(await bodyOf('parts')).toBe('part 1 part 9 ')
  expect(await bodyOf('plain')).toBe('a body')
  expect(await store.objectTags({ bucket, key: 'plain' })).toEqual(Buffer.from('tags'))
  const opened = await store.openObject({ bucket, key: 'parts' })
  expect(opened?.parts).toEqual(Buffer.from('table'))
  await opened?.close()
  expect(await store.countKeyUse({ realm: uses[0]?.realm ?? '' })).toEqual({ objects: 4, uploads: 1 })
})

it('what the first format left open is finished', async () => {
  const { entries } = await store.listUploads({ bucket, limit: 10 })
  const [entry] = entries
  if (entry?.kind !== 'upload') return expect.fail('the upload is not there')
  expect(entry.upload).toMatchObject({ key: 'open', ...blobs, tags: Buffer.from('tags'), uses })
  const name = { bucket, key: 'open', uploadId: entry.upload.uploadId }
  const { parts } = await store.listParts({ ...name, limit: 10 })
  expect(parts.map(({ number, metadata }) => [number, metadata.toString()])).toEqual([
    [1, 'part 1'],
    [9, 'part 9'],
  ])
  await store.completeUpload({ ...name, parts, object: blobs })
  expect(await bodyOf('open')).toBe('part 1 part 9 ')
  await store.sweep()
  await store.close()
  expect(await auditStore(scratch.directory)).toEqual({ orphans: [], missing: [], leftovers: [] })
})
