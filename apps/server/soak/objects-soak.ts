import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CrashLoopReport, crashInALoop } from './crash-loop.ts'
import { flipTheIndex, type IndexFlipsReport } from './index-flips.ts'
import { sendLargeObjects, type Transfer } from './large-objects.ts'
import { createObjectClient } from './object-client.ts'
import { createProcessMeter } from './process-meter.ts'
import { type RudeClientsReport, sendRudeClients } from './rude-clients.ts'
import { createSoakClient, must } from './soak-client.ts'
import { createSoakRandom } from './soak-random.ts'
import { type SoakServer, startSoakServer } from './soak-server.ts'

export interface ObjectsSoakOptions {
  /** The built server. */
  readonly server: string
  /** Sizes in MiB: in every mode, as one PUT and in parts; and of the largest single PUT. */
  readonly each: number
  readonly largest: number
  readonly streams: number
  readonly kills: number
  readonly flips: number
  readonly seed: number
  readonly log: (line: string) => void
}

export interface ObjectsSoakReport {
  readonly seed: number
  readonly transfers: readonly Transfer[]
  readonly rude: RudeClientsReport
  readonly crashes: CrashLoopReport
  readonly flipped: IndexFlipsReport
  /** Files of bodies that remained when everything was deleted. */
  readonly orphans: number
  /** What the deletion of the key that all of them were encrypted with was answered then. */
  readonly keyDeletion: number
  readonly seconds: number
}

/** Loads the S3 side of a real server: large bodies in every mode, many clients, clients that go away, and `kill -9`. */
export async function soakObjects(options: ObjectsSoakOptions): Promise<ObjectsSoakReport> {
  const { each, largest, streams, kills, flips, seed, log } = options
  const startedAt = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'kms-soak-'))
  const data = join(folder, 'data')
  const bodies = join(data, 'objects', 'bodies')
  let running: SoakServer | undefined
  const start = async (): Promise<SoakServer> => {
    running = await startSoakServer(options.server, { KMS_DATA_DIR: data })
    return running
  }
  try {
    const server = await start()
    log(`server ${server.url} (pid ${server.pid}), seed ${seed}`)
    await asAdmin(server, async (send) => {
      await send('POST', 'configure', { backend_type: 'local', key_dir: join(folder, 'keys'), default_key_id: 'main' })
      await send('POST', 'start')
    })
    const client = createObjectClient(server.url)
    await client.ok('PUT', '/soak')
    const meter = createProcessMeter(server.pid)
    const transfers = await sendLargeObjects({ client, meter, each, largest, log })
    const rude = await sendRudeClients({ client, meter, bodies, streams })
    log(`${streams} clients at once, held up and gone away`)
    client.forgetConnections()
    await server.stop()
    const crashes = await crashInALoop({ start, kills, writers: 6, random: createSoakRandom(seed) })
    const index = join(data, 'objects', 'index', 'data.mdb')
    const flipped = await flipTheIndex({ start, index, flips, random: createSoakRandom(seed + 1) })
    const last = await start()
    const orphans = readdirSync(bodies, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
    const keyDeletion = await asAdmin(last, async (send) => {
      await send('POST', 'keys', { key_name: 'next' })
      await send('POST', 'reconfigure', { default_key_id: 'next' })
      return (await send('DELETE', 'keys/delete', { key_id: 'main' })).status
    })
    await last.stop()
    const seconds = (performance.now() - startedAt) / 1000
    return { seed, transfers, rude, crashes, flipped, orphans: orphans.length, keyDeletion, seconds }
  } finally {
    await running?.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Send = (method: string, path: string, body?: unknown) => Promise<{ readonly status: number }>

async function asAdmin<T>({ url }: SoakServer, work: (send: Send) => Promise<T>): Promise<T> {
  const admin = createSoakClient(url)
  try {
    return await work((method, path, body) => must(admin.send(method, path, body)))
  } finally {
    admin.close()
  }
}
