import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signRequest } from '@kms/sigv4'
import { median, spread } from './figures.ts'
import { post, type RunningServer, runServer } from './running-server.ts'

export interface ObjectsOptions {
  /** The built server. */
  readonly server: string
  readonly rounds: number
}

interface Workload {
  readonly name: string
  readonly size: number
  /** Of one round and direction. */
  readonly objects: number
  readonly connections: number
  /** Least that SSE-KMS must reach of what plain objects do; the small ones wait for the disk and for calls to the KMS. */
  readonly target?: number
}

const WORKLOADS: readonly Workload[] = [
  { name: '64 MiB', size: 64 * 1024 * 1024, objects: 4, connections: 1, target: 0.7 },
  { name: '4 KiB', size: 4096, objects: 400, connections: 8 },
]

const ENCRYPTIONS = {
  plain: {},
  'SSE-KMS': { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': 'main' },
} as const
type Encryption = keyof typeof ENCRYPTIONS

const DIRECTIONS = ['PUT', 'GET'] as const
type Direction = (typeof DIRECTIONS)[number]

/**
 * Measures PUT and GET of SSE-KMS against plain objects of the same server, on its own disk: in turns, with fixed work, so that what
 * else the machine does falls on both. Ratios are what counts; the numbers are this machine's.
 */
export async function compareObjects({ server, rounds }: ObjectsOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kms-bench-'))
  const environment = { PATH: process.env['PATH'] ?? '', KMS_LISTEN: '127.0.0.1:0', KMS_LOG_LEVEL: 'error' }
  const kms = await runServer(server, { ...environment, KMS_DATA_DIR: join(folder, 'data') })
  try {
    await post(kms.port, 'configure', { backend_type: 'local', key_dir: join(folder, 'keys'), default_key_id: 'main' })
    await post(kms.port, 'start', {})
    await transfer(kms, 'PUT', '/bench', Buffer.alloc(0), {})
    for (const workload of WORKLOADS) await measure(kms, workload, rounds)
    console.log(`\n  server  ${peakMebibytes(kms.pid)} MiB of memory at most`)
  } finally {
    await kms.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(kms: RunningServer, workload: Workload, rounds: number): Promise<void> {
  const body = randomBytes(workload.size)
  const sample = async (direction: Direction, encryption: Encryption): Promise<number> => {
    const paths = Array.from({ length: workload.objects }, (_, i) => `/bench/${encryption}/${workload.size}/${i}`)
    const startedAt = performance.now()
    await Promise.all(
      Array.from({ length: workload.connections }, async () => {
        for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
          if (direction === 'PUT') await transfer(kms, 'PUT', path, body, ENCRYPTIONS[encryption])
          else await transfer(kms, 'GET', path)
        }
      }),
    )
    return workload.objects / ((performance.now() - startedAt) / 1000)
  }
  for (const direction of DIRECTIONS) {
    const rates: Readonly<Record<Encryption, number[]>> = { plain: [], 'SSE-KMS': [] }
    for (let round = -1; round < rounds; round++) {
      for (const encryption of ['plain', 'SSE-KMS'] as const) {
        const rate = await sample(direction, encryption)
        // The first round warms up.
        if (round >= 0) rates[encryption].push(rate)
      }
    }
    console.log(`\n${direction} of ${workload.name}, ${workload.connections} at a time`)
    for (const encryption of ['plain', 'SSE-KMS'] as const) {
      const some = rates[encryption]
      const mebibytes = (median(some) * workload.size) / 1_048_576
      console.log(
        `  ${encryption.padEnd(7)} ${median(some).toFixed(1)} objects/s (${spread(some, 1)}), ${mebibytes.toFixed(1)} MiB/s`,
      )
    }
    const ratios = rates['SSE-KMS'].map((rate, round) => rate / (rates.plain[round] as number))
    const ratio = median(ratios)
    const { target } = workload
    const verdict =
      target === undefined ? '' : `; ${ratio >= target ? 'meets' : 'misses'} the target of ${target.toFixed(2)}`
    console.log(`  ratio   ${ratio.toFixed(2)} (${spread(ratios, 2)})${verdict}`)
  }
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
