import { randomBytes } from 'node:crypto'

/** Source of `size` unpredictable bytes; a test may pass a deterministic one. */
export type Random = (size: number) => Buffer

/** The operating system's generator, through node:crypto. */
export const systemRandom: Random = (size) => randomBytes(size)
