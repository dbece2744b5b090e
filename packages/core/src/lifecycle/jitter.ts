import type { Random } from '../random.ts'

/** `ms` give or take a fifth, so that what began together does not stay together. */
export function jitter(ms: number, random: Random): number {
  const fraction = random(4).readUInt32BE() / 2 ** 32
  return Math.round(ms * (0.8 + 0.4 * fraction))
}
