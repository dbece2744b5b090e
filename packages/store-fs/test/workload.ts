import { Buffer } from 'node:buffer'
import type { ObjectStore, StoredPart } from '@kms/s3-api'

export const BUCKET = 'photos'

/** What a key holds after a step: the seed of its body, or nothing. */
export type Outcome = { readonly key: string; readonly seed: number | undefined }

/** A body that says which one it is, in every byte. */
function bodyOf(seed: number): Buffer {
  return Buffer.alloc(1 + ((seed * 7919) % 400_000), `${seed}.`)
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Uint8Array, void> {
  for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536)
}

function blobsOf(seed: number) {
  return { metadata: Buffer.from(String(seed)), tags: Buffer.from(`tags ${seed}`), parts: Buffer.from(`parts ${seed}`) }
}

/** The steps of one writer: puts, overwrites, deletes and multipart completions over a few keys of its own. */
export async function step(store: ObjectStore, writer: string, index: number): Promise<Outcome> {
  const key = `${writer}/${index % 3}`
  const name = { bucket: BUCKET, key }
  const uses = [{ realm: 'r', keyId: `key-${index % 2}`, version: 1 }]
  const kind = index % 5
  if (kind === 3) {
    await store.deleteObject(name)
    return { key, seed: undefined }
  }
  if (kind !== 4) {
    await store.putObject({ ...name, body: inChunks(bodyOf(index)), uses, finish: () => blobsOf(index) })
    return { key, seed: index }
  }
  const { uploadId } = await store.createUpload({ ...name, metadata: Buffer.from('m'), uses })
  const whole = bodyOf(index)
  const cut = Math.floor(whole.length / 2)
  const parts: StoredPart[] = []
  for (const [number, bytes] of [whole.subarray(0, cut), Buffer.from('dropped'), whole.subarray(cut)].entries()) {
    const finish = () => ({ metadata: Buffer.from('p') })
    parts.push(await store.putPart({ ...name, uploadId, number: number + 1, body: inChunks(bytes), finish }))
  }
  const named = parts.filter(({ number }) => number !== 2)
  await store.completeUpload({ ...name, uploadId, parts: named, object: blobsOf(index) })
  return { key, seed: index }
}

/** What a key holds now; throws when body and blobs are not of one write. */
export async function read(store: ObjectStore, key: string): Promise<number | undefined> {
  const opened = await store.openObject({ bucket: BUCKET, key })
  if (opened === undefined) return undefined
  const pieces: Buffer[] = []
  for await (const piece of opened.read({ start: 0, end: opened.size })) pieces.push(piece)
  await opened.close()
  const seed = Number(opened.metadata.toString())
  if (!Buffer.concat(pieces).equals(bodyOf(seed))) throw new Error(`${key} does not have the body of ${seed}`)
  if (opened.parts?.toString() !== `parts ${seed}`) throw new Error(`${key} has not the parts of ${seed}`)
  return seed
}

/** {@link read}, where nobody writes meanwhile: tags are read apart. */
export async function readWithTags(store: ObjectStore, key: string): Promise<number | undefined> {
  const seed = await read(store, key)
  const tags = await store.objectTags({ bucket: BUCKET, key })
  if (tags?.toString() !== (seed === undefined ? undefined : `tags ${seed}`)) {
    throw new Error(`${key} has the tags of another write than ${seed}`)
  }
  return seed
}
