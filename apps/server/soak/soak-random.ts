/** A seeded source of chance, so that a run can be had again. */
export interface SoakRandom {
  /** 0 ≤ x < 1. */
  fraction(): number
  /** 0 … `end` − 1. */
  below(end: number): number
  pick<T>(from: readonly T[]): T
}

/** Mulberry32 (Tommy Ettinger, public domain): small, and good enough to choose moves by. */
export function createSoakRandom(seed: number): SoakRandom {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end: number): number => Math.floor(fraction() * end)
  return { fraction, below, pick: (from) => from[below(from.length)] as (typeof from)[number] }
}
