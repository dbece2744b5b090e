import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  createServerKey,
  type KmsManager,
  systemRandom,
} from '@kms/core'
import nodeVault from 'node-vault'
import { requireOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { type OpenBao, startOpenBao } from '../../../tools/openbao/openbao-server.ts'
import { makeToken, prepareMounts } from '../../../tools/openbao/prepare.ts'
import { vaultDriver } from '../src/vault-driver.ts'

export interface CompareOptions {
  readonly rounds: number
  readonly requestsPerRound: number
  /** Requests under way at once. */
  readonly concurrency: number
}

const KEY = 'rustfs-master'
const AAD_BYTES = 32

/**
 * Our GenerateDataKey and Decrypt on a real server, from the call of core to its answer, against bare `encrypt` and `decrypt`
 * through node-vault with its own HTTP client, the same TLS and kept connections. All take turns in short rounds.
 */
export async function compare({ rounds, requestsPerRound, concurrency }: CompareOptions): Promise<void> {
  const cleanups: (() => Promise<void>)[] = []
  const cleanup = (work: () => Promise<void>): void => void cleanups.unshift(work)
  try {
    const program = requireOpenBao((reason) => {
      throw new Error(reason)
    })
    const server = await startOpenBao({ program, cleanup })
    await prepareMounts(server)
    const contestants = await prepare(server, cleanup)
    const rates = new Map(Object.keys(contestants).map((name) => [name, [] as number[]]))
    for (let round = -1; round < rounds; round++) {
      for (const [name, run] of Object.entries(contestants)) {
        // What never leaves the process is over before it can be measured.
        const requests = name === 'decrypt, warm cache' ? requestsPerRound * 100 : requestsPerRound
        const rate = await measure(run, requests, concurrency)
        if (round >= 0) rates.get(name)?.push(rate)
      }
    }
    report(rates, concurrency)
  } finally {
    for (const work of cleanups) await work()
  }
}

type Contestant = () => Promise<unknown>

async function prepare(server: OpenBao, cleanup: (work: () => Promise<void>) => void) {
  const token = await makeToken(server)
  const agentOptions = { keepAlive: true, maxSockets: 64 }
  const raw = nodeVault({ endpoint: server.address, token, requestOptions: { ca: server.ca, agentOptions } })
  const base64 = (size: number): string => randomBytes(size).toString('base64')
  const additional = base64(AAD_BYTES)
  const sample = await raw.write(`transit/encrypt/${KEY}`, { plaintext: base64(32), associated_data: additional })
  const { ciphertext } = sample.data

  const cached = await service(server, token, { enable_cache: true }, cleanup)
  const uncached = await service(server, token, { enable_cache: false }, cleanup)
  const context = new Map([['bench', 'yes']])
  const authorize = (): void => {}
  const generate = (manager: KmsManager) => manager.data.generateDataKey({ spec: 'AES_256', context, authorize })
  const made = await generate(cached)
  const decrypt = (manager: KmsManager) => manager.data.decrypt({ ciphertext: made.ciphertext, context, authorize })

  return {
    'raw encrypt': () =>
      raw.write(`transit/encrypt/${KEY}`, {
        plaintext: base64(32),
        associated_data: base64(AAD_BYTES),
        key_version: 1,
      }),
    'generate data key': () => generate(cached),
    'raw decrypt': () => raw.write(`transit/decrypt/${KEY}`, { ciphertext, associated_data: additional }),
    'decrypt, cache off': () => decrypt(uncached),
    'decrypt, warm cache': () => decrypt(cached),
  } satisfies Record<string, Contestant>
}

async function service(
  server: OpenBao,
  token: string,
  fields: object,
  cleanup: (work: () => Promise<void>) => void,
): Promise<KmsManager> {
  const directory = mkdtempSync(join(tmpdir(), 'kms-bench-'))
  cleanup(async () => rmSync(directory, { recursive: true, force: true }))
  const drivers = [vaultDriver({ policy: {} })]
  const tell = (message: string): void => console.warn(message)
  const manager = createKmsManager({
    drivers,
    configStore: await createFileConfigStore({
      directory,
      drivers,
      keys: { current: createServerKey(systemRandom(32)) },
      random: systemRandom,
      onRecovered: tell,
    }),
    canaryStore: createFileCanaryStore({
      directory: join(directory, 'canaries'),
      random: systemRandom,
      onDamaged: tell,
    }),
  })
  cleanup(() => manager.close())
  await manager.boot()
  const place = { backend_type: 'vault', address: server.address, ca_cert: server.ca, auth_method: { token } }
  await manager.reconfigure({ ...place, default_key_id: KEY, ...fields }, { principal: 'bench' })
  return manager
}

/** Answers per second. */
async function measure(run: Contestant, requests: number, concurrency: number): Promise<number> {
  let left = requests
  const start = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left-- > 0) await run()
    }),
  )
  return requests / ((performance.now() - start) / 1000)
}

function report(rates: ReadonlyMap<string, readonly number[]>, concurrency: number): void {
  console.log(`OpenBao on this machine over TLS, ${concurrency} at once; answers per second, median (10 % to 90 %)`)
  for (const [name, values] of rates) console.log(`${name.padEnd(20)} ${spread(values, 0)}`)
  const ratio = (one: string, other: string): readonly number[] =>
    (rates.get(one) ?? []).map((rate, round) => rate / (rates.get(other)?.[round] ?? Number.NaN))
  console.log(
    `generate data key / raw encrypt    ${spread(ratio('generate data key', 'raw encrypt'), 2)}   (aim: 0.90)`,
  )
  console.log(
    `decrypt, warm cache / raw decrypt  ${spread(ratio('decrypt, warm cache', 'raw decrypt'), 1)}   (aim: 20)`,
  )
}

function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(digits)
  return `${at(0.5).padStart(8)} (${at(0.1)} to ${at(0.9)})`
}
