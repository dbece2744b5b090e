import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KeyBackend } from '../keys/key-backend.ts'
import { describeKeyLife } from './describe-key-life.ts'
import { createMemoryBackend } from './memory-backend.ts'
import { createMemoryStore } from './memory-store.ts'

const slow = process.env['SLOW'] === '1'

const VERBS = ['create', 'describe', 'list', 'update', 'rotate', 'destroy', 'wrap', 'unwrap'] as const

/** A backend that takes now longer, now shorter, as those do that are further away than memory; `turns` says how long. */
function distant(backend: KeyBackend, turns: () => number): KeyBackend {
  const verbs = VERBS.map((verb) => {
    const inner = backend[verb] as (...args: readonly unknown[]) => Promise<unknown>
    const value = async (...args: readonly unknown[]): Promise<unknown> => {
      for (let i = turns(); i > 0; i--) await nextTurn()
      const result = await inner(...args)
      for (let i = turns(); i > 0; i--) await nextTurn()
      return result
    }
    return [verb, { value }] as const
  })
  return Object.create(backend, Object.fromEntries(verbs)) as KeyBackend
}

/** 0, 1 or 2, as a linear congruential generator would have it. */
function createTurns(): () => number {
  let state = 1
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor(state / 65_536) % 3
  }
}

for (const retiresIds of [false, true]) {
  describeKeyLife(
    retiresIds ? 'memory, ids retired' : 'memory',
    () => {
      const store = createMemoryStore()
      const turns = createTurns()
      return {
        open: async (clock) => distant(createMemoryBackend({ store, clock, random: randomBytes, retiresIds }), turns),
        cleanup: async () => {},
      }
    },
    { runs: slow ? 3000 : 100, length: 60, retiresIds, timeoutMs: slow ? 1_800_000 : 120_000 },
  )
}
