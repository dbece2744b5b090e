import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { auditStore } from './audit.ts'
import { type Scratch, scratchStore } from './scratch.ts'
import { BUCKET, read, readWithTags, step } from './workload.ts'

const WRITERS = ['ann', 'bob', 'cyd', 'dan']

let scratch: Scratch
let child: string

beforeAll(() => {
  child = join(import.meta.dirname, '..', '.cache', 'crash-child.mjs')
  return build({
    entryPoints: [join(import.meta.dirname, 'crash-child.ts')],
    outfile: child,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['lmdb'],
    conditions: ['@kms/source'],
  }).then(() => {})
})
beforeEach(async () => {
  scratch = await scratchStore()
})
afterEach(() => scratch.cleanup())

interface Life {
  readonly identity: string
  readonly writers: readonly string[]
  readonly first: number
  readonly count: number
  /** Acknowledgements after which it is killed … */
  readonly killAfter?: number
  /** … and how many turns of the event loop later. */
  readonly delay?: number
  /** Called for each step that was acknowledged, as it is heard of. */
  readonly onAcknowledged?: (key: string, index: number) => Promise<void>
}

interface Death {
  readonly signal: NodeJS.Signals | null
  /** By key, the steps that were acknowledged: what the last of them left must be there, unless a later one happened. */
  readonly acknowledged: ReadonlyMap<string, { readonly seed: number | undefined; readonly index: number }>
  readonly lines: number
}

async function live({ identity, writers, first, count, killAfter, delay = 0, onAcknowledged }: Life): Promise<Death> {
  const args = [child, scratch.directory, identity, writers.join(','), String(first), String(count)]
  const victim = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(victim, 'exit')
  const acknowledged = new Map<string, { seed: number | undefined; index: number }>()
  let lines = 0
  for await (const line of createInterface({ input: victim.stdout })) {
    const [key = '', seed, index] = line.split(' ')
    if (seed === undefined) continue
    const outcome = { seed: seed === '-' ? undefined : Number(seed), index: Number(index) }
    acknowledged.set(key, outcome)
    await onAcknowledged?.(key, outcome.index)
    lines += 1
    if (lines === killAfter) {
      for (let turn = 0; turn < delay; turn++) await new Promise((resolve) => setImmediate(resolve))
      victim.kill('SIGKILL')
    }
  }
  const [, signal] = (await exited) as [number | null, NodeJS.Signals | null]
  return { signal, acknowledged, lines }
}

/** The outcomes of the steps of a writer from `index` on that touch a key, as far as one could have got. */
async function expectNothingLost(death: Death, writers: readonly string[], count: number): Promise<void> {
  const store = await scratch.open({ owner: { identity: 'auditor', isGone: async () => true } })
  for (const writer of writers) {
    for (let slot = 0; slot < 3; slot++) {
      const key = `${writer}/${slot}`
      const last = death.acknowledged.get(key)
      const found = await readWithTags(store, key)
      // The step after the last one acknowledged on this key may have happened.
      const next = last === undefined ? slot : last.index + 3
      const outcomes = [last?.seed, ...(next < count ? [next % 5 === 3 ? undefined : next] : [])]
      expect(outcomes, key).toContain(found)
    }
  }
  await store.sweep()
  // Whatever was left behind, the store can be written to.
  await step(store, writers[0] as string, 0)
  for (const { kind, ...entry } of (await store.listUploads({ bucket: BUCKET, limit: 1000 })).entries) {
    if (kind === 'upload' && 'upload' in entry) await store.abortUpload({ bucket: BUCKET, ...entry.upload })
  }
  await store.sweep()
  await store.close()
  expect(await auditStore(scratch.directory)).toEqual({ orphans: [], missing: [], leftovers: [] })
}

describe('a process killed at any moment', () => {
  const runs = process.env['SLOW'] === '1' ? 60 : 6

  it('loses nothing it acknowledged, and leaves nothing else', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 60 }),
      fc.nat({ max: 60 }),
      async (killAfter, delay) => {
        await scratch.cleanup()
        scratch = await scratchStore()
        const store = await scratch.open()
        await store.createBucket(BUCKET)
        await store.close()
        const death = await live({ identity: 'victim', writers: WRITERS, first: 0, count: 40, killAfter, delay })
        expect(death.signal).toBe('SIGKILL')
        expect(death.lines).toBeGreaterThanOrEqual(killAfter)
        await expectNothingLost(death, WRITERS, 40)
      },
    )
    await fc.assert(property, { numRuns: runs })
  }, 600_000)
})

describe('several processes on one directory', () => {
  it('take turns, while another dies and this one reads and writes', async () => {
    const store = await scratch.open({
      owner: { identity: 'here', isGone: async (identity) => identity === 'victim' },
    })
    await store.createBucket(BUCKET)
    const ours = async (): Promise<void> => {
      for (let index = 0; index < 25; index++) {
        await step(store, 'own', index)
        for (const writer of ['ann', 'bob', 'own']) await read(store, `${writer}/${index % 3}`)
      }
    }
    const [first, second] = await Promise.all([
      live({ identity: 'worker', writers: ['ann', 'bob'], first: 0, count: 30 }),
      live({ identity: 'victim', writers: ['cyd', 'dan'], first: 0, count: 1000, killAfter: 20, delay: 3 }),
      ours(),
    ])
    expect(first.signal).toBeNull()
    expect(second.signal).toBe('SIGKILL')
    await store.close()
    await expectNothingLost(
      { ...second, acknowledged: new Map([...first.acknowledged, ...second.acknowledged]) },
      ['ann', 'bob', 'cyd', 'dan'],
      1000,
    )
  }, 120_000)

  it('read what another has acknowledged as soon as they hear of it, however busy they are reading', async () => {
    const store = await scratch.open({ owner: { identity: 'here', isGone: async () => false } })
    await store.createBucket(BUCKET)
    const done = new AbortController()
    const reading = (async () => {
      while (!done.signal.aborted) {
        await store.object({ bucket: BUCKET, key: 'ann/0' })
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const stale: string[] = []
    const count = 60
    await live({
      identity: 'writer',
      writers: ['ann'],
      first: 0,
      count,
      async onAcknowledged(key, index) {
        const found = (await store.object({ bucket: BUCKET, key }))?.metadata.toString()
        // The writer may be steps ahead by now, and every fifth deletes.
        const steps = Array.from({ length: count }, (_, at) => at).filter((at) => at >= index && at % 3 === index % 3)
        const outcomes = steps.map((later) => (later % 5 === 3 ? undefined : String(later)))
        if (!outcomes.includes(found)) stale.push(`${key} after step ${index}: ${found}`)
      },
    })
    done.abort()
    await reading
    expect(stale).toEqual([])
  }, 60_000)
})
