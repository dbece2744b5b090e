import { isKmsClientError, type ListedObject, type ObjectsClient } from '@kms/client'
import type { Io } from '../io.ts'
import { createProgressBar } from '../progress-bar.ts'

export interface VerifiedObject {
  readonly key: string
  readonly size: number
  /** `ok`, or the code of what went wrong. */
  readonly outcome: string
  readonly message?: string
}

/**
 * Reads every object to its end, which opens its key and checks every frame of it, a few at a time. One that fails stops none of
 * the others.
 */
export async function verifyObjects(
  client: ObjectsClient,
  { bucket, prefix, concurrency }: { readonly bucket: string; readonly prefix: string; readonly concurrency: number },
  io: Pick<Io, 'interactive' | 'err'>,
): Promise<VerifiedObject[]> {
  const listed: ListedObject[] = []
  for await (const each of client.list(bucket, prefix)) listed.push(each)
  const bar = createProgressBar(listed.length, io)
  const results = new Map<string, VerifiedObject>()
  const left = [...listed]
  const work = async (): Promise<void> => {
    for (let each = left.shift(); each !== undefined; each = left.shift()) {
      results.set(each.key, await verify(client, bucket, each))
      bar.step()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  bar.end()
  return listed.map(({ key }) => results.get(key) as VerifiedObject)
}

async function verify(client: ObjectsClient, bucket: string, { key, size }: ListedObject): Promise<VerifiedObject> {
  try {
    const { body } = await client.get({ bucket, key })
    let read = 0
    for await (const part of body) read += (part as Uint8Array).length
    return read === size
      ? { key, size, outcome: 'ok' }
      : { key, size, outcome: 'WrongSize', message: `${read} bytes came` }
  } catch (error) {
    if (isKmsClientError(error)) return { key, size, outcome: error.code, message: error.message }
    // A server that finds a damaged frame ends the connection: no more of it must be believed.
    return { key, size, outcome: 'Incomplete', message: 'the server broke off; its log says why' }
  }
}
