import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, spread } from './figures.ts'
import { runLoad } from './load.ts'
import { cpuTicks, post, type RunningServer, runServer, signedCall } from './running-server.ts'

export interface CompareOptions {
  /** The built server, and the server it is compared with. */
  readonly server: string
  readonly echo: string
  readonly rounds: number
  readonly requestsPerRound: number
  readonly connections: number
}

interface Sample {
  readonly perSecond: number
  readonly p99: number
  /** Of the server process, for one request. */
  readonly cpuMicroseconds: number
}

/** More than the data-key cache of the server holds, so that every request is work. */
const DISTINCT = 4000
const TARGET = 0.4

/**
 * Measures signed GenerateDataKey and Decrypt against a bare JSON echo given the same bytes: in turns, with fixed work,
 * so that what else the machine does falls on both. Ratios are what counts; the numbers are this machine's. On a busy
 * machine the ratio of CPU time is the steadier one.
 */
export async function compare(options: CompareOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kms-bench-'))
  const environment = { PATH: process.env['PATH'] ?? '', KMS_LISTEN: '127.0.0.1:0', KMS_LOG_LEVEL: 'error' }
  const kms = await runServer(options.server, { ...environment, KMS_DATA_DIR: join(folder, 'data') })
  const echo = await runServer(options.echo, {})
  try {
    const { connections, requestsPerRound, rounds } = options
    console.log(
      `Node ${process.versions.node}, ${cpus().length} CPUs, ${connections} connections, ` +
        `${rounds} rounds of ${requestsPerRound} requests each, in turns`,
    )
    await post(kms.port, 'configure', { backend_type: 'local', key_dir: join(folder, 'keys'), default_key_id: 'main' })
    await post(kms.port, 'start', {})
    const contexts = Array.from({ length: DISTINCT }, (_, i) => ({ object: `bucket/key-${i}` }))
    const envelopes: string[] = []
    for (const encryption_context of contexts) {
      const reply = await post(kms.port, 'generate-data-key', { encryption_context })
      envelopes.push(String(reply['ciphertext_blob']))
    }
    await measure(
      'GenerateDataKey',
      contexts.map((encryption_context) => ({ encryption_context })),
    )
    await measure(
      'Decrypt',
      contexts.map((encryption_context, i) => ({ ciphertext_blob: envelopes[i], encryption_context })),
    )
  } finally {
    await Promise.all([kms.stop(), echo.stop()])
    rmSync(folder, { recursive: true, force: true })
  }

  async function measure(name: string, bodies: readonly object[]): Promise<void> {
    const path = name === 'Decrypt' ? 'decrypt' : 'generate-data-key'
    const requests = bodies.map((body) => wire(kms.port, path, body))
    const sample = async (target: RunningServer): Promise<Sample> => {
      const before = cpuTicks(target.pid)
      const count = options.requestsPerRound
      const result = await runLoad({ port: target.port, requests, count, connections: options.connections })
      const ticks = cpuTicks(target.pid) - before
      return { ...result, cpuMicroseconds: (ticks * 10_000) / count }
    }
    for (const target of [kms, echo, kms, echo]) await sample(target)
    const pairs: { kms: Sample; echo: Sample }[] = []
    for (let round = 0; round < options.rounds; round++) {
      pairs.push({ kms: await sample(kms), echo: await sample(echo) })
    }
    console.log(`\n${name}`)
    report(
      'server',
      pairs.map((pair) => pair.kms),
    )
    report(
      'echo',
      pairs.map((pair) => pair.echo),
    )
    const ratios = pairs.map((pair) => pair.kms.perSecond / pair.echo.perSecond)
    const cpuRatios = pairs.map((pair) => pair.echo.cpuMicroseconds / pair.kms.cpuMicroseconds)
    const ratio = median(ratios)
    const verdict = ratio >= TARGET ? 'meets' : 'misses'
    console.log(
      `  ratio   ${ratio.toFixed(2)} (${spread(ratios, 2)}) of the requests, ${median(cpuRatios).toFixed(2)} ` +
        `(${spread(cpuRatios, 2)}) by CPU time; ${verdict} the target of ${TARGET}`,
    )
  }
}

function report(name: string, samples: readonly Sample[]): void {
  const rates = samples.map(({ perSecond }) => perSecond)
  const cpu = samples.map(({ cpuMicroseconds }) => cpuMicroseconds)
  const p99 = samples.map((sample) => sample.p99)
  console.log(
    `  ${name.padEnd(7)} ${median(rates).toFixed(0)} requests/s (${spread(rates, 0)}), ` +
      `${median(cpu).toFixed(0)} CPU µs/request (${spread(cpu, 0)}), p99 ${median(p99).toFixed(1)} ms`,
  )
}

/** The bytes of a signed request. */
function wire(port: number, path: string, body: object): Buffer {
  const { url, text, headers } = signedCall(port, path, body)
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(text)) })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(`POST ${new URL(url).pathname} HTTP/1.1\r\n${head}\r\n${text}`)
}
