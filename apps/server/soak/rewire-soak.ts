import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { watchBackends } from './backend-watch.ts'
import { badConfiguration } from './bad-configuration.ts'
import { type Issued, startLoad } from './load.ts'
import { pause } from './pause.ts'
import { createMoves } from './rewire-moves.ts'
import { makeBackends, type SoakBackend } from './soak-backends.ts'
import { createSoakClient, must, type SoakClient } from './soak-client.ts'
import { createSoakRandom, type SoakRandom } from './soak-random.ts'
import { startSoakServer } from './soak-server.ts'
import { createTimeline } from './timeline.ts'

export interface RewireSoakOptions {
  /** The built server. */
  readonly server: string
  /** The program of Vault or OpenBao; without one it moves between directories only. */
  readonly vaultProgram: string | undefined
  readonly reconfigurations: number
  readonly badConfigurations: number
  readonly clients: number
  readonly seed: number
  readonly log: (line: string) => void
}

/** What a run showed. */
export interface RewireSoakReport {
  readonly seed: number
  readonly seconds: number
  readonly backends: readonly string[]
  readonly requests: Readonly<Record<'generate' | 'encrypt' | 'decrypt', number>>
  readonly failed: readonly string[]
  readonly wrong: readonly string[]
  readonly excused: number
  /** By kind of move: how often it was made. */
  readonly moves: Readonly<Record<string, number>>
  readonly reconfigurations: number
  readonly vaultRestarts: number
  /** Seconds from the moment a restarted Vault answers until the service uses it again. */
  readonly slowestRecovery: number
  readonly automaticReturns: number
  readonly badConfigurations: number
  /** Of those: what was taken, or changed something. */
  readonly badTaken: readonly string[]
  readonly envelopes: number
  readonly unopened: readonly string[]
  readonly steadyP99: number | undefined
  readonly swapP99: number | undefined
  readonly steadyCount: number
  readonly swapCount: number
}

/** Items of one call that opens many envelopes. */
const BATCH = 100

/**
 * Loads a real server with a steady mix while it is rewired at random: between directories and Vaults, with other settings,
 * bad configurations, rollbacks, and Vaults that are killed and started again; and opens everything at the end.
 */
export async function soakRewiring(options: RewireSoakOptions): Promise<RewireSoakReport> {
  const { log, seed } = options
  const startedAt = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'kms-soak-'))
  const cleanups: (() => Promise<void>)[] = []
  try {
    const { backends, authorities } = await makeBackends({
      folder,
      program: options.vaultProgram,
      cleanup: (work) => void cleanups.unshift(work),
    })
    const server = await startSoakServer(options.server, {
      KMS_DATA_DIR: join(folder, 'data'),
      NODE_EXTRA_CA_CERTS: authorities,
    })
    cleanups.unshift(() => server.stop())
    log(`server ${server.url} (pid ${server.pid}), ${backends.map(({ place }) => place).join(', ')}, seed ${seed}`)

    const random = createSoakRandom(seed)
    const client = createSoakClient(server.url)
    const swaps = createTimeline()
    const [first] = backends as [SoakBackend, ...SoakBackend[]]
    await must(client.send('POST', 'configure', first.config))
    await must(client.send('POST', 'start'))
    const watch = await watchBackends(client, backends, first)
    const load = startLoad({
      url: server.url,
      clients: options.clients,
      random: createSoakRandom(seed + 1),
      swaps,
      mayHaveMetTrouble: watch.mayHaveMetTrouble,
    })
    // Something to compare swaps with, before the first one.
    await pause(1000)
    const moves = createMoves({ client, backends, random, swaps, watch, log })
    await moves.make(options.reconfigurations)
    log(`${moves.counts.reconfigurations} changes made; ${options.badConfigurations} bad configurations`)
    const badTaken = await sendBad(client, options, folder, random)
    await watch.untilHealthy()
    await load.stop()
    log(`opening ${load.issued.length} envelopes`)
    const unopened = await openAll(client, load.issued)
    watch.stop()
    client.close()
    const { figures } = load
    return {
      seed,
      seconds: (performance.now() - startedAt) / 1000,
      backends: backends.map(({ place }) => place),
      requests: figures.requests,
      failed: figures.failed,
      wrong: figures.wrong,
      excused: figures.excused,
      moves: moves.made,
      ...moves.counts,
      automaticReturns: server.events('kms_returned'),
      badConfigurations: options.badConfigurations,
      badTaken,
      envelopes: load.issued.length,
      unopened,
      steadyP99: figures.steady.percentile(99),
      swapP99: figures.duringSwaps.percentile(99),
      steadyCount: figures.steady.count,
      swapCount: figures.duringSwaps.count,
    }
  } finally {
    for (const work of cleanups) await work()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function sendBad(
  client: SoakClient,
  { badConfigurations }: RewireSoakOptions,
  folder: string,
  random: SoakRandom,
): Promise<string[]> {
  const foreignDirectory = join(folder, 'foreign')
  mkdirSync(foreignDirectory)
  writeFileSync(join(foreignDirectory, 'letter.txt'), 'not a key store')
  const places = { foreignDirectory, deadAddress: 'https://127.0.0.1:1' }
  const revisionOf = async (): Promise<number> => (await client.send('GET', 'status')).body['revision'] as number
  const taken: string[] = []
  const revision = await revisionOf()
  for (let i = 0; i < badConfigurations; i++) {
    const patch = badConfiguration(random, places)
    const reply = await client.send('POST', 'reconfigure', patch)
    if (reply.status < 400) taken.push(`${JSON.stringify(patch)} → ${JSON.stringify(reply.body)}`)
  }
  const after = await revisionOf()
  if (after !== revision) taken.push(`the revision changed from ${revision} to ${after}`)
  return taken
}

async function openAll(client: SoakClient, issued: readonly Issued[]): Promise<string[]> {
  const unopened: string[] = []
  for (let start = 0; start < issued.length; start += BATCH) {
    const part = issued.slice(start, start + BATCH)
    const items = part.map(({ ciphertext }) => ({
      operation: 'decrypt',
      ciphertext_blob: ciphertext,
      encryption_context: { purpose: 'soak' },
    }))
    const { body } = await must(client.send('POST', 'batch', { items }))
    for (const [i, result] of (body['results'] as Record<string, unknown>[]).entries()) {
      if (result['plaintext'] !== part[i]?.plaintext) unopened.push(`${part[i]?.ciphertext}: ${JSON.stringify(result)}`)
    }
  }
  return unopened
}
