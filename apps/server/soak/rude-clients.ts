import { readdirSync } from 'node:fs'
import type { ClientRequest } from 'node:http'
import type { ObjectClient } from './object-client.ts'
import { SSE_KMS } from './object-modes.ts'
import { pause } from './pause.ts'
import type { ProcessMeter } from './process-meter.ts'
import { soakBody } from './soak-bytes.ts'

const MEBIBYTE = 1024 * 1024
const OBJECT_BYTES = 64 * MEBIBYTE
/** Of a body that is held up: far more than buffers on the way take. */
const SENT_CHUNKS = 24
const PATIENCE_MS = 20_000

/** What clients cost that send and read many bodies at once, and that stop in the middle. */
export interface RudeClientsReport {
  readonly streams: number
  /** MiB of the server for each stream beyond the first: while all of them are held up in the middle … */
  readonly perHeldUpload: number
  readonly perHeldDownload: number
  /** … and while all of them flow. */
  readonly perUpload: number
  readonly perDownload: number
  /** Descriptors and files of bodies that remained after they went away. */
  readonly descriptorsLeft: number
  readonly filesLeft: number
}

export interface RudeClientsOptions {
  readonly client: ObjectClient
  readonly meter: ProcessMeter
  /** Where the files of bodies lie. */
  readonly bodies: string
  readonly streams: number
}

/** Loads a server with many bodies at once, then with clients that stop in the middle, and that go away. */
export async function sendRudeClients(options: RudeClientsOptions): Promise<RudeClientsReport> {
  const { client, meter, bodies, streams } = options
  const path = '/soak/rude'
  const upload = async (name: number): Promise<void> => {
    await client.ok('PUT', `${path}/${name}`, { headers: SSE_KMS.write, body: soakBody('rude', 0, OBJECT_BYTES) })
  }
  const download = async (name: number): Promise<void> => {
    await client.ok('GET', `${path}/${name}`)
  }
  const names = Array.from({ length: streams }, (_, name) => name)
  const cost = async (one: () => Promise<unknown>, all: () => Promise<unknown>): Promise<number> => {
    meter.forgetPeak()
    await one()
    const single = meter.peakMebibytes()
    meter.forgetPeak()
    await all()
    return (meter.peakMebibytes() - single) / (streams - 1)
  }
  // What code and pools take is there before anything is measured.
  for (const name of names) await upload(name)
  await Promise.all(names.slice(0, 2).map(download))
  client.forgetConnections()
  const look = (): Counts => [meter.descriptors(), fileCount(bodies)]
  const before = await settled(look, () => false, 2000)
  const held: ClientRequest[] = []
  const hold = (begin: (name: number) => Promise<ClientRequest>) => async (name: number) => {
    held.push(await begin(name))
  }
  const holdUpload = hold((name) => beginUpload(client, `${path}/held-${name}`))
  const holdDownload = hold((name) => beginDownload(client, `${path}/${name}`))
  const perHeldUpload = await cost(
    () => holdUpload(0),
    () => Promise.all(names.slice(1).map(holdUpload)),
  )
  const perHeldDownload = await cost(
    () => holdDownload(0),
    () => Promise.all(names.slice(1).map(holdDownload)),
  )
  for (const request of held) request.destroy()
  const [descriptors, files] = await settled(
    look,
    ([open, there]) => open <= before[0] && there <= before[1],
    PATIENCE_MS,
  )
  const perUpload = await cost(
    () => upload(0),
    () => Promise.all(names.map(upload)),
  )
  const perDownload = await cost(
    () => download(0),
    () => Promise.all(names.map(download)),
  )
  for (const name of names) await client.ok('DELETE', `${path}/${name}`)
  return {
    streams,
    perHeldUpload,
    perHeldDownload,
    perUpload,
    perDownload,
    descriptorsLeft: Math.max(0, descriptors - before[0]),
    filesLeft: Math.max(0, files - before[1]),
  }
}

/** An upload that sends some of its body and then nothing. */
async function beginUpload(client: ObjectClient, path: string): Promise<ClientRequest> {
  const outgoing = client.begin('PUT', path, SSE_KMS.write)
  outgoing.on('error', () => {})
  outgoing.setHeader('content-length', OBJECT_BYTES)
  let chunks = 0
  for (const chunk of soakBody('held', 0, OBJECT_BYTES).chunks()) {
    chunks += 1
    if (chunks > SENT_CHUNKS) break
    if (!outgoing.write(chunk)) await new Promise((resolve) => outgoing.once('drain', resolve))
  }
  return outgoing
}

/** A download of which some is read and then nothing: what is sent piles up as far as the server lets it. */
async function beginDownload(client: ObjectClient, path: string): Promise<ClientRequest> {
  const outgoing = client.begin('GET', path, {})
  outgoing.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    outgoing.once('error', reject)
    outgoing.once('response', (incoming) => {
      incoming.on('error', () => {})
      incoming.once('data', () => {
        incoming.pause()
        resolve()
      })
    })
    outgoing.end()
  })
  // The server fills every buffer on the way before it waits.
  await pause(500)
  return outgoing
}

function fileCount(bodies: string): number {
  return readdirSync(bodies, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile()).length
}

type Counts = readonly [descriptors: number, files: number]

/** Looks until what is there is good, or for so long. */
async function settled(look: () => Counts, good: (counts: Counts) => boolean, patience: number): Promise<Counts> {
  const end = performance.now() + patience
  let counts = look()
  while (!good(counts) && performance.now() < end) {
    await pause(100)
    counts = look()
  }
  return counts
}
