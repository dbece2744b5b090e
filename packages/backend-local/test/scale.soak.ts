import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildChild } from './build-child.ts'

const FEW = 10
/** From 257 key versions on a start opens 256 of them (formats §7), however many there are. */
const SOME = 1000
const MANY = Number(process.env['SOAK_KEYS'] ?? 100_000)
const VERSIONS = Number(process.env['SOAK_VERSIONS'] ?? 10_000)
/** Starts of each store, turn by turn: the machine may be busy with something else. */
const STARTS = 9

let root: string
let child: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kms-scale-'))
  child = await buildChild('scale-child', root)
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** Runs one act in a process of its own. */
async function run<T>(act: string, home: string, count = 0): Promise<T> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--disable-warning=DEP0137', child, act, home, String(count)],
    { maxBuffer: 1e8 },
  )
  return JSON.parse(stdout) as T
}

async function make(act: string, name: string, count: number): Promise<string> {
  const home = join(root, name)
  await mkdir(home)
  const { perKey } = await run<{ perKey?: number }>(act, home, count)
  if (perKey !== undefined) console.log(`${count} keys made, without waiting for the disk: ${ms(perKey)} each`)
  return home
}

interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

interface Started {
  readonly firstAnswer: number
  readonly boots: number
}

interface Background extends Started {
  readonly answers: Percentiles
  readonly longestTurn: number
}

interface Used {
  readonly memory: { readonly rss: number; readonly heap: number; readonly external: number }
  readonly describe: Percentiles
  readonly describeAgain: Percentiles
  readonly generate: Percentiles
  readonly decrypt: Percentiles
  readonly create: Percentiles
  readonly pages: Percentiles
  readonly firstPage: number
  readonly lastPage: number
  readonly listed: number
}

const ms = (value: number): string => `${value.toFixed(value < 10 ? 3 : 0)} ms`
const told = ({ p50, p99, max }: Percentiles): string => `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)}`
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
const busy = (): string =>
  `load ${loadavg()
    .map((each) => each.toFixed(1))
    .join(' ')}`

describe(`a store of ${MANY} keys, beside one of ${FEW}`, () => {
  const sizes = { few: FEW, some: SOME, many: MANY }
  const homes = { few: '', some: '', many: '' }
  type Size = keyof typeof sizes
  const names = Object.keys(sizes) as Size[]
  beforeAll(async () => {
    for (const name of names) homes[name] = await make('keys', name, sizes[name])
  })

  async function indexOf(home: string): Promise<string | undefined> {
    const directory = join(home, 'data', 'canaries')
    const name = (await readdir(directory)).find((each) => each.endsWith('.index'))
    return name === undefined ? undefined : join(directory, name)
  }

  it('starts in the time that any store takes whose canaries are more than are opened', async () => {
    const starts: Record<Size, Started[]> = { few: [], some: [], many: [] }
    for (let i = 0; i < STARTS; i++) {
      for (const name of names) starts[name].push(await run<Started>('start', homes[name]))
    }
    for (const name of names) {
      const first = starts[name].map(({ firstAnswer }) => firstAnswer)
      const boots = starts[name].map((each) => each.boots)
      console.log(
        `${sizes[name]} keys: first answer of a new process after ${ms(median(first))}, at best ${ms(Math.min(...first))}; of which the service ${ms(median(boots))}, ${ms(Math.min(...boots))} (${busy()})`,
      )
    }
    const best = (name: Size): number => Math.min(...starts[name].map(({ firstAnswer }) => firstAnswer))
    expect(best('many')).toBeLessThan(1.5 * best('some'))
    expect(best('many')).toBeLessThan(2 * best('few'))
  })

  it('goes on answering while it looks through itself, also when nothing is left of what it knew about itself', async () => {
    for (const state of ['kept', 'damaged', 'gone']) {
      const index = await indexOf(homes.many)
      if (index === undefined) expect.fail('there is no index')
      if (state === 'damaged') await writeFile(index, 'nothing')
      if (state === 'gone') await unlink(index)
      const { firstAnswer, answers, longestTurn } = await run<Background>('start', homes.many, MANY)
      console.log(
        `index ${state}: first answer ${ms(firstAnswer)}, then ${told(answers)}; longest turn ${ms(longestTurn)} (${busy()})`,
      )
      expect(answers.p99).toBeLessThan(50)
      expect(await indexOf(homes.many)).toBeDefined()
    }
  })

  it('does everything in the time it takes in a small one', async () => {
    const small = await run<Used>('use', homes.few, FEW)
    const large = await run<Used>('use', homes.many, MANY)
    const { memory } = large
    console.log(
      `memory: ${small.memory.rss.toFixed(0)} and ${memory.rss.toFixed(0)} MB resident, heap ${small.memory.heap.toFixed(0)} and ${memory.heap.toFixed(0)} MB, outside of it ${small.memory.external.toFixed(0)} and ${memory.external.toFixed(0)} MB`,
    )
    for (const what of ['describe', 'describeAgain', 'generate', 'decrypt', 'create'] as const) {
      console.log(`${what}: ${told(small[what])}; of ${MANY}: ${told(large[what])} (${busy()})`)
    }
    console.log(
      `pages of 100: the first ${ms(large.firstPage)}, the others ${told(large.pages)}, the last ${ms(large.lastPage)}`,
    )
    expect(large.listed).toBeGreaterThan(MANY)
    // Bounds that a busy machine keeps too: what grew with the number of keys would be far from them.
    expect(large.describe.p50).toBeLessThan(10 * small.describe.p50 + 1)
    expect(large.generate.p50).toBeLessThan(10 * small.generate.p50 + 1)
    expect(large.decrypt.p50).toBeLessThan(10 * small.decrypt.p50 + 1)
    expect(large.create.p50).toBeLessThan(5 * small.create.p50 + 5)
    expect(large.pages.p50).toBeLessThan(100)
    expect(memory.rss).toBeLessThan(small.memory.rss + 250)
  })
})

it(`a version of a key that has ${VERSIONS} opens as fast as the only one of another`, async () => {
  const home = await make('versions', 'versions', VERSIONS)
  const { ofOne, ofOthers } = await run<Record<'ofOne' | 'ofOthers', Record<'first' | 'again', Percentiles>>>(
    'unwrap',
    home,
  )
  for (const which of ['first', 'again'] as const) {
    console.log(`${which}: of the one key ${told(ofOne[which])}; of others ${told(ofOthers[which])} (${busy()})`)
    expect(ofOne[which].p50).toBeLessThan(2 * ofOthers[which].p50)
  }
})
