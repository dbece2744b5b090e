import { writeSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { KeyRecord, KmsManager } from '@kms/core'
import { boot, caller, decrypt, generate } from './service.ts'
import { withoutFsync } from './without-fsync.ts'

// Runs in a process of its own: [act, home, number of keys or versions]. Says what it measured as a line of JSON.
const [act = '', home = '', count = '0'] = process.argv.slice(2)
const asked = { authorize: (): void => {}, caller }
const bootedAt = performance.now()

/** Keys made at the same time. */
const WIDTH = 64
const SAMPLES = 2000
/** How long it answers while what a start leaves for later is done. */
const BACKGROUND_MS = 15_000

const acts: Readonly<Record<string, () => Promise<object>>> = {
  keys: fillKeys,
  versions: fillVersions,
  start,
  use,
  unwrap,
}
const measured = await acts[act]?.()
writeSync(1, `${JSON.stringify(measured)}\n`)
process.exit(0)

async function begin(): Promise<KmsManager> {
  await withoutFsync()
  const { manager } = await boot(home)
  const config = { backend_type: 'local', key_dir: `${home}/keys`, master_key: Buffer.alloc(32, 7).toString('base64') }
  await manager.configure({ ...config, default_key_id: 'main' }, caller)
  await manager.start({ force: false }, caller)
  return manager
}

function nameOf(index: number): string {
  return `key-${index}`
}

/** Makes a store of many keys, by its own means, but for waiting for the disk. */
async function fillKeys(): Promise<object> {
  const manager = await begin()
  const all = Number(count)
  const from = performance.now()
  for (let first = 0; first < all; first += WIDTH) {
    const some = Array.from({ length: Math.min(WIDTH, all - first) }, (_, i) => nameOf(first + i))
    await Promise.all(some.map((name) => manager.keys.create({ ...asked, name })))
  }
  const milliseconds = performance.now() - from
  await manager.close()
  return { perKey: milliseconds / all }
}

/** Envelopes: of versions of one key, and of the only versions of others. */
interface Versions {
  readonly ofOne: readonly string[]
  readonly ofOthers: readonly string[]
}

/** Gives one key many versions, and some keys one. */
async function fillVersions(): Promise<object> {
  const manager = await begin()
  const all = Number(count)
  const ofOne: string[] = []
  const ofOthers: string[] = []
  const envelope = async (key: string): Promise<string> => (await generate(manager, key)).ciphertext.toString('base64')
  await manager.keys.create({ ...asked, name: 'rotated' })
  for (let version = 1; version <= all; version++) {
    if (version > 1) await manager.keys.rotate({ ...asked, key: 'rotated' })
    if (version % Math.max(1, Math.floor(all / SAMPLES)) === 0) ofOne.push(await envelope('rotated'))
  }
  for (let i = 0; i < ofOne.length; i++) {
    await manager.keys.create({ ...asked, name: nameOf(i) })
    ofOthers.push(await envelope(nameOf(i)))
  }
  await writeFile(`${home}/envelopes.json`, JSON.stringify({ ofOne, ofOthers } satisfies Versions))
  await manager.close()
  return {}
}

/** From nothing to the first answer, and then what the requests of the next seconds wait for. */
async function start(): Promise<object> {
  const { manager } = await boot(home)
  await generate(manager)
  const firstAnswer = process.uptime() * 1000
  const boots = performance.now() - bootedAt
  if (count === '0') return { firstAnswer, boots }
  const lags = monitorEventLoopDelay({ resolution: 1 })
  lags.enable()
  const times: number[] = []
  for (const from = performance.now(); performance.now() - from < BACKGROUND_MS; ) {
    times.push(await timed(() => generate(manager)))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return { firstAnswer, boots, answers: percentiles(times), longestTurn: lags.max / 1e6 }
}

/** What each operation takes in a store of so many keys, once it has settled. */
async function use(): Promise<object> {
  const { manager } = await boot(home)
  await generate(manager)
  await new Promise((resolve) => setTimeout(resolve, BACKGROUND_MS))
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  const all = Number(count)
  const some = Array.from({ length: SAMPLES }, (_, i) => nameOf(Math.floor((i * all) / SAMPLES) % all))
  const cold = await timesOf(some, (key) => manager.keys.describe({ ...asked, key }))
  const warm = await timesOf(some, (key) => manager.keys.describe({ ...asked, key }))
  const generated = await timesOf(some, (key) => generate(manager, key))
  const envelopes = await Promise.all(some.map((key) => generate(manager, key)))
  const decrypted = await timesOf(envelopes, ({ ciphertext }) => decrypt(manager, ciphertext))
  const created = await timesOf(some.slice(0, 100), (key, i) =>
    manager.keys.create({ ...asked, name: `${key}-${i}-new` }),
  )
  const pages: number[] = []
  let keys = 0
  let marker: string | undefined
  do {
    let page: { readonly keys: readonly KeyRecord[]; readonly next?: string } = { keys: [] }
    pages.push(
      await timed(async () => {
        page = await manager.keys.list({ limit: 100, ...(marker === undefined ? {} : { marker }) })
      }),
    )
    keys += page.keys.length
    marker = page.next
  } while (marker !== undefined)
  await manager.close()
  return {
    memory: { rss: rss / 1e6, heap: heapUsed / 1e6, external: external / 1e6 },
    describe: percentiles(cold),
    describeAgain: percentiles(warm),
    generate: percentiles(generated),
    decrypt: percentiles(decrypted),
    create: percentiles(created),
    firstPage: pages[0],
    pages: percentiles(pages.slice(1)),
    lastPage: pages.at(-1),
    listed: keys,
  }
}

/** The first unwrap of versions of one key, and of the only versions of others; then again. */
async function unwrap(): Promise<object> {
  const { manager } = await boot(home)
  await generate(manager)
  const { ofOne, ofOthers } = JSON.parse(await readFile(`${home}/envelopes.json`, 'utf8')) as Versions
  const one: number[][] = [[], []]
  const others: number[][] = [[], []]
  for (const round of [0, 1]) {
    for (const [i, envelope] of ofOne.entries()) {
      // Records are read beforehand, and what one unwrap leaves to be collected is shared between both kinds.
      for (const key of ['rotated', nameOf(i)]) await manager.keys.describe({ ...asked, key })
      const other = ofOthers[i] as string
      one[round]?.push(await timed(() => decrypt(manager, Buffer.from(envelope, 'base64'))))
      others[round]?.push(await timed(() => decrypt(manager, Buffer.from(other, 'base64'))))
    }
    manager.clearCache()
  }
  await manager.close()
  const [first = [], again = []] = one
  const [firstOther = [], againOther = []] = others
  return {
    ofOne: { first: percentiles(first), again: percentiles(again) },
    ofOthers: { first: percentiles(firstOther), again: percentiles(againOther) },
  }
}

function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  return work().then(() => performance.now() - from)
}

async function timesOf<T>(items: readonly T[], work: (item: T, index: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (const [index, item] of items.entries()) times.push(await timed(() => work(item, index)))
  return times
}

interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

function percentiles(times: readonly number[]): Percentiles {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 }
}
