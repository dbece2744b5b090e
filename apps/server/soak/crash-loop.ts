import { Buffer } from 'node:buffer'
import { createObjectClient, type ObjectClient } from './object-client.ts'
import { OBJECT_MODES, type ObjectMode } from './object-modes.ts'
import { soakBody, soakHash } from './soak-bytes.ts'
import type { SoakRandom } from './soak-random.ts'
import type { SoakServer } from './soak-server.ts'

const KEYS_PER_WRITER = 4
const LARGEST = 3 * 1024 * 1024
/** What S3 demands of every part but the last. */
const LEAST_PART = 5 * 1024 * 1024
/** Acknowledgements of one life, at most. */
const LONGEST_LIFE = 60

/** What a key holds. */
interface Written {
  readonly seed: string
  readonly size: number
  readonly mode: ObjectMode
}

/** What is known of a key: what was acknowledged last, and what may have happened since. */
interface Entry {
  acknowledged: Written | undefined
  attempted?: { readonly outcome: Written | undefined }
}

export interface CrashLoopReport {
  readonly kills: number
  readonly acknowledged: Readonly<Record<OperationName, number>>
  /** Writes that were cut off, and of those the ones that had happened. */
  readonly cutOff: number
  readonly happened: number
  /** What was acknowledged and is not there, or is something else. */
  readonly lost: readonly string[]
}

export interface CrashLoopOptions {
  readonly start: () => Promise<SoakServer>
  readonly kills: number
  readonly writers: number
  readonly random: SoakRandom
}

type OperationName = 'put' | 'delete' | 'complete' | 'abort'

/**
 * Kills a server again and again in the middle of uploads, overwrites, deletes and completed uploads, and compares what is there
 * afterwards with a ledger of what was acknowledged.
 */
export async function crashInALoop({ start, kills, writers, random }: CrashLoopOptions): Promise<CrashLoopReport> {
  const ledger = new Map<string, Entry>()
  const acknowledged: Record<OperationName, number> = { put: 0, delete: 0, complete: 0, abort: 0 }
  const lost: string[] = []
  let [cutOff, happened, serial] = [0, 0, 0]
  for (let writer = 0; writer < writers; writer++) {
    for (let key = 0; key < KEYS_PER_WRITER; key++) ledger.set(`/soak/w${writer}/${key}`, { acknowledged: undefined })
  }

  async function write(client: ObjectClient, writer: number, dead: () => boolean, done: () => void): Promise<void> {
    while (!dead()) {
      const path = `/soak/w${writer}/${random.below(KEYS_PER_WRITER)}`
      const entry = ledger.get(path) as Entry
      const name = random.pick(['put', 'put', 'put', 'delete', 'complete', 'abort'] as const)
      serial += 1
      const size = (name === 'complete' ? LEAST_PART : 0) + random.below(LARGEST)
      const outcome =
        name === 'delete' ? undefined : { seed: `${path} ${serial}`, size, mode: random.pick(OBJECT_MODES) }
      // An upload that is given up leaves what was there.
      if (name !== 'abort') entry.attempted = { outcome }
      try {
        await OPERATIONS[name](client, path, outcome)
      } catch (error) {
        if (!dead()) throw error
        return
      }
      if (name !== 'abort') entry.acknowledged = outcome
      delete entry.attempted
      acknowledged[name] += 1
      done()
    }
  }

  async function check(client: ObjectClient): Promise<void> {
    for (const [path, entry] of ledger) {
      const { acknowledged: expected, attempted } = entry
      delete entry.attempted
      if (attempted !== undefined) cutOff += 1
      if (await holds(client, path, expected)) continue
      if (attempted !== undefined && (await holds(client, path, attempted.outcome))) {
        happened += 1
        entry.acknowledged = attempted.outcome
        continue
      }
      lost.push(`${path}: neither ${expected?.seed ?? 'absent'} nor ${attempted?.outcome?.seed ?? 'absent'}`)
    }
  }

  for (let kill = 0; kill <= kills; kill++) {
    const server = await start()
    const client = createObjectClient(server.url)
    await check(client)
    if (kill === kills) {
      await leaveNothing(client, [...ledger.keys()])
      client.forgetConnections()
      await server.stop()
      break
    }
    let left = 1 + random.below(LONGEST_LIFE)
    let killed: Promise<void> | undefined
    const done = (): void => {
      left -= 1
      if (left <= 0) killed ??= server.kill()
    }
    await Promise.all(Array.from({ length: writers }, (_, writer) => write(client, writer, () => left <= 0, done)))
    await killed
    client.forgetConnections()
  }
  return { kills, acknowledged, cutOff, happened, lost }
}

const OPERATIONS: Readonly<
  Record<OperationName, (client: ObjectClient, path: string, written: Written | undefined) => Promise<unknown>>
> = {
  put: (client, path, written) => {
    const { seed, size, mode } = written as Written
    return client.ok('PUT', path, { headers: mode.write, body: soakBody(seed, 0, size) })
  },
  delete: (client, path) => client.ok('DELETE', path),
  async complete(client, path, written) {
    const { seed, size, mode } = written as Written
    const uploadId = await beginUpload(client, path, mode)
    const rows: string[] = []
    for (const [number, start, end] of [
      [1, 0, LEAST_PART],
      [2, LEAST_PART, size],
    ] as const) {
      const body = soakBody(seed, start, end)
      const target = `${path}?partNumber=${number}&uploadId=${uploadId}`
      const { headers } = await client.ok('PUT', target, { headers: mode.read, body })
      rows.push(`<Part><PartNumber>${number}</PartNumber><ETag>${headers.etag}</ETag></Part>`)
    }
    const document = `<CompleteMultipartUpload>${rows.join('')}</CompleteMultipartUpload>`
    await client.ok('POST', `${path}?uploadId=${uploadId}`, { body: Buffer.from(document) })
  },
  async abort(client, path, written) {
    const { seed, size, mode } = written as Written
    const uploadId = await beginUpload(client, path, mode)
    const body = soakBody(seed, 0, size)
    await client.ok('PUT', `${path}?partNumber=1&uploadId=${uploadId}`, { headers: mode.read, body })
    await client.ok('DELETE', `${path}?uploadId=${uploadId}`)
  },
}

async function beginUpload(client: ObjectClient, path: string, mode: ObjectMode): Promise<string> {
  const begun = await client.ok('POST', `${path}?uploads`, { headers: mode.write })
  return /<UploadId>(.*)<\/UploadId>/.exec(begun.text)?.[1] ?? ''
}

async function holds(client: ObjectClient, path: string, expected: Written | undefined): Promise<boolean> {
  const got = await client.send('GET', path, { headers: expected?.mode.read ?? {} })
  if (expected === undefined) return got.status === 404
  return got.status === 200 && got.size === expected.size && got.sha256 === soakHash(expected.seed, 0, expected.size)
}

/** Deletes all there is, uploads that were cut off too. */
async function leaveNothing(client: ObjectClient, paths: readonly string[]): Promise<void> {
  for (const path of paths) await client.ok('DELETE', path)
  const { text } = await client.ok('GET', '/soak?uploads')
  for (const [, key, uploadId] of text.matchAll(/<Key>([^<]*)<\/Key><UploadId>([^<]*)</g)) {
    await client.ok('DELETE', `/soak/${key}?uploadId=${uploadId}`)
  }
}
