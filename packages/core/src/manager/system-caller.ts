import type { Caller } from './manager-types.ts'

/** Who makes the changes nobody asked for at the time. */
export const SYSTEM: Caller = { principal: 'system' }
