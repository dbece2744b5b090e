import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signRequest } from '@kms/sigv4'
import { median, spread } from './figures.ts'
import { cpuTicks, post, type RunningServer, runServer } from './running-server.ts'

export interface ObjectsOptions {
  /** The built server. */
  readonly server: string
  readonly rounds: number
}

interface Workload {
  readonly name: string
  readonly size: number
  readonly objects: number
  /** How often each is read in a round. */
  readonly reads: number
  readonly connections: number
  /** Least that SSE-KMS must reach of what plain objects do. */
  readonly target: number
}

const WORKLOADS: readonly Workload[] = [
  { name: '64 MiB', size: 64 * 1024 * 1024, objects: 4, reads: 1, connections: 1, target: 0.8 },
  { name: '4 KiB', size: 4096, objects: 400, reads: 5, connections: 8, target: 0.7 },
]

const KMS = {
  'x-amz-server-side-encryption': 'aws:kms',
  'x-amz-server-side-encryption-aws-kms-key-id': 'main',
} as const

const DIRECTIONS = ['PUT', 'GET'] as const
type Direction = (typeof DIRECTIONS)[number]

/** What takes its turn in every round. */
interface Contestant {
  readonly name: string
  readonly server: RunningServer
  readonly headers: Readonly<Record<string, string>>
  /** What it is compared with. */
  readonly base?: string
}

interface Sample {
  readonly perSecond: number
  /** Of the server process, for one request. */
  readonly cpuMicroseconds: number
}

/**
 * Measures PUT and GET of SSE-KMS against plain objects of the same server, on its own disk, and against servers that keep audit records: in
 * turns, with fixed work, so that what else the machine does falls on all. Ratios are what counts; the numbers are this machine's. On a
 * busy machine the ratio of CPU time is the steadier one.
 */
export async function compareObjects({ server, rounds }: ObjectsOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kms-bench-'))
  const servers: RunningServer[] = []
  const begin = async (name: string, more: Readonly<Record<string, string>> = {}): Promise<RunningServer> => {
    const environment = { PATH: process.env['PATH'] ?? '', KMS_LISTEN: '127.0.0.1:0', KMS_LOG_LEVEL: 'error' }
    const started = await runServer(server, { ...environment, KMS_DATA_DIR: join(folder, name, 'data'), ...more })
    servers.push(started)
    const key_dir = join(folder, name, 'keys')
    await post(started.port, 'configure', { backend_type: 'local', key_dir, default_key_id: 'main' })
    await post(started.port, 'start', {})
    await transfer(started, 'PUT', '/bench', Buffer.alloc(0), {})
    return started
  }
  const audited = (sync: string): Promise<RunningServer> =>
    begin(sync, { KMS_AUDIT_DIR: join(folder, sync, 'audit'), KMS_AUDIT_SYNC: sync })
  try {
    const kms = await begin('without')
    const contestants: readonly Contestant[] = [
      { name: 'plain', server: kms, headers: {} },
      { name: 'SSE-KMS', server: kms, headers: KMS, base: 'plain' },
      { name: 'SSE-KMS, audit always', server: await audited('always'), headers: KMS, base: 'SSE-KMS' },
      { name: 'SSE-KMS, audit interval', server: await audited('interval'), headers: KMS, base: 'SSE-KMS' },
    ]
    for (const workload of WORKLOADS) {
      await measure(contestants, workload, rounds)
      console.log(`\n  server  ${peakMebibytes(kms.pid)} MiB of memory at most, up to here`)
    }
  } finally {
    await Promise.all(servers.map((each) => each.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(contestants: readonly Contestant[], workload: Workload, rounds: number): Promise<void> {
  const body = randomBytes(workload.size)
  const sample = async (direction: Direction, { name, server, headers }: Contestant): Promise<Sample> => {
    const folder = encodeURIComponent(name)
    const objects = Array.from({ length: workload.objects }, (_, i) => `/bench/${folder}/${workload.size}/${i}`)
    const paths = Array.from({ length: direction === 'PUT' ? 1 : workload.reads }, () => objects).flat()
    const count = paths.length
    const ticks = cpuTicks(server.pid)
    const startedAt = performance.now()
    await Promise.all(
      Array.from({ length: workload.connections }, async () => {
        for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
          if (direction === 'PUT') await transfer(server, 'PUT', path, body, headers)
          else await transfer(server, 'GET', path)
        }
      }),
    )
    const perSecond = count / ((performance.now() - startedAt) / 1000)
    return { perSecond, cpuMicroseconds: ((cpuTicks(server.pid) - ticks) * 10_000) / count }
  }
  for (const direction of DIRECTIONS) {
    const samples = new Map<string, Sample[]>(contestants.map(({ name }) => [name, []]))
    for (let round = -1; round < rounds; round++) {
      for (const contestant of contestants) {
        const taken = await sample(direction, contestant)
        // The first round warms up.
        if (round >= 0) samples.get(contestant.name)?.push(taken)
      }
    }
    console.log(`\n${direction} of ${workload.name}, ${workload.connections} at a time`)
    for (const { name, base } of contestants) {
      const own = samples.get(name) ?? []
      report(name, own, workload)
      if (base === undefined) continue
      const others = samples.get(base) as readonly Sample[]
      const pairs = own.map((taken, round) => ({ taken, other: others[round] as Sample }))
      const ratios = pairs.map(({ taken, other }) => taken.perSecond / other.perSecond)
      const cpuRatios = pairs.map(({ taken, other }) => other.cpuMicroseconds / taken.cpuMicroseconds)
      const ratio = median(ratios)
      const { target } = workload
      const verdict =
        base === 'plain' ? `; ${ratio >= target ? 'meets' : 'misses'} the target of ${target.toFixed(1)}` : ''
      console.log(
        `    ${ratio.toFixed(2)} (${spread(ratios, 2)}) of ${base}, ${median(cpuRatios).toFixed(2)} (${spread(cpuRatios, 2)}) by CPU time${verdict}`,
      )
    }
  }
}

function report(name: string, samples: readonly Sample[], { size }: Workload): void {
  const rates = samples.map(({ perSecond }) => perSecond)
  const mebibytes = (median(rates) * size) / 1_048_576
  const cpu = median(samples.map(({ cpuMicroseconds }) => cpuMicroseconds))
  console.log(
    `  ${name.padEnd(23)} ${median(rates).toFixed(1)} objects/s (${spread(rates, 1)}), ${mebibytes.toFixed(1)} MiB/s, ${cpu.toFixed(0)} CPU µs each`,
  )
}

const agent = new Agent({ keepAlive: true })

/** Sends a signed request and reads its reply to the end. Throws unless it is 200. */
function transfer(
  { port }: RunningServer,
  method: string,
  path: string,
  body?: Uint8Array,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const url = `http://127.0.0.1:${port}${path}`
  const headers = signRequest({
    method,
    url,
    headers: more,
    payloadHash: 'UNSIGNED-PAYLOAD',
    credentials: { accessKeyId: 'admin', secretAccessKey: 'admin' },
    region: 'us-east-1',
    service: 's3',
  })
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) }
    const outgoing = request(url, { method, agent, headers: { ...headers, ...length } }, (incoming) => {
      incoming.on('error', reject).resume()
      incoming.on('end', () => {
        if (incoming.statusCode === 200) resolve()
        else reject(new Error(`${method} ${path}: ${incoming.statusCode}`))
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** The most memory a process ever had: `VmHWM`, in KiB, of `/proc/<pid>/status`. */
function peakMebibytes(pid: number): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kibibytes) / 1024)
}
