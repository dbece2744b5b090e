import { Buffer } from 'node:buffer'
import type { ChunkedBody, ObjectClient } from './object-client.ts'
import { OBJECT_MODES, type ObjectMode, SSE_KMS } from './object-modes.ts'
import type { ProcessMeter } from './process-meter.ts'
import { soakBody, soakHash } from './soak-bytes.ts'

const MEBIBYTE = 1024 * 1024

/** One large body, up and down. */
export interface Transfer {
  readonly what: string
  readonly mebibytes: number
  readonly upRate: number
  readonly downRate: number
  /** Most memory of the server meanwhile, in MiB. */
  readonly upPeak: number
  readonly downPeak: number
}

export interface LargeObjectsOptions {
  readonly client: ObjectClient
  readonly meter: ProcessMeter
  /** Sizes in MiB: in every mode, as one PUT and in parts; and of the largest single PUT. */
  readonly each: number
  readonly largest: number
  readonly log: (line: string) => void
}

/** Sends large bodies in every mode and reads them again. Throws when a byte differs. */
export async function sendLargeObjects(options: LargeObjectsOptions): Promise<readonly Transfer[]> {
  const { each, largest, log } = options
  const transfers: Transfer[] = []
  const note = (made: Transfer): void => {
    transfers.push(made)
    const { what, mebibytes, upRate, downRate, upPeak, downPeak } = made
    const rates = `${upRate.toFixed(0)} MiB/s up, ${downRate.toFixed(0)} down`
    log(`${what}, ${mebibytes} MiB: ${rates}; memory ${upPeak.toFixed(0)} and ${downPeak.toFixed(0)} MiB at most`)
  }
  for (const mode of OBJECT_MODES) {
    note(await transfer(options, mode, each, 'one PUT', putWhole))
    note(await transfer(options, mode, each, 'parts', putParts))
  }
  note(await transfer(options, SSE_KMS, largest, 'one PUT', putWhole))
  return transfers
}

type Send = (client: ObjectClient, path: string, mode: ObjectMode, seed: string, size: number) => Promise<void>

async function transfer(
  { client, meter }: LargeObjectsOptions,
  mode: ObjectMode,
  mebibytes: number,
  how: string,
  send: Send,
): Promise<Transfer> {
  const what = `${mode.name}, ${how}`
  const size = mebibytes * MEBIBYTE
  const path = `/soak/large-${mode.name}`
  const up = await measured(meter, mebibytes, () => send(client, path, mode, what, size))
  const down = await measured(meter, mebibytes, async () => {
    const got = await client.ok('GET', path, { headers: mode.read })
    if (got.size !== size) throw new Error(`${what}: ${got.size} of ${size} bytes came back`)
    if (got.sha256 !== soakHash(what, 0, size)) throw new Error(`${what}: other bytes came back`)
  })
  await expectRange(client, path, mode, what, size)
  await client.ok('DELETE', path)
  return { what, mebibytes, upRate: up.rate, downRate: down.rate, upPeak: up.peak, downPeak: down.peak }
}

async function measured(
  meter: ProcessMeter,
  mebibytes: number,
  work: () => Promise<void>,
): Promise<{ readonly rate: number; readonly peak: number }> {
  meter.forgetPeak()
  const startedAt = performance.now()
  await work()
  return { rate: mebibytes / ((performance.now() - startedAt) / 1000), peak: meter.peakMebibytes() }
}

const putWhole: Send = async (client, path, { write }, seed, size) => {
  await client.ok('PUT', path, { headers: write, body: soakBody(seed, 0, size) })
}

/** Parts of a size that is no multiple of anything, cut out of the same bytes. */
const putParts: Send = async (client, path, { write, read }, seed, size) => {
  const partBytes = 64 * MEBIBYTE + 1
  const begun = await client.ok('POST', `${path}?uploads`, { headers: write })
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(begun.text)?.[1]
  const rows: string[] = []
  for (const [index, body] of cut(seed, size, partBytes).entries()) {
    const number = index + 1
    const target = `${path}?partNumber=${number}&uploadId=${uploadId}`
    const { headers } = await client.ok('PUT', target, { headers: read, body })
    rows.push(`<Part><PartNumber>${number}</PartNumber><ETag>${headers.etag}</ETag></Part>`)
  }
  const document = `<CompleteMultipartUpload>${rows.join('')}</CompleteMultipartUpload>`
  await client.ok('POST', `${path}?uploadId=${uploadId}`, { body: Buffer.from(document) })
}

function cut(seed: string, size: number, partBytes: number): readonly ChunkedBody[] {
  const count = Math.ceil(size / partBytes)
  return Array.from({ length: count }, (_, index) =>
    soakBody(seed, index * partBytes, Math.min(size, (index + 1) * partBytes)),
  )
}

/** The last bytes: of the largest object, beyond what 32 bits count. */
async function expectRange(
  client: ObjectClient,
  path: string,
  { read }: ObjectMode,
  seed: string,
  size: number,
): Promise<void> {
  const start = size - 1000
  const got = await client.ok('GET', path, { headers: { ...read, range: `bytes=${start}-` } })
  if (got.sha256 !== soakHash(seed, start, size)) throw new Error(`${seed}: the last 1000 bytes differ`)
}
