import { z } from 'zod'

// What the fields of the stored files have in common.

/** 16 bytes in hex: realms, KEK ids, material ids. */
export const hex16: z.ZodType<string> = z.string().regex(/^[0-9a-f]{32}$/)
/** Milliseconds since the epoch. */
export const time: z.ZodType<number> = z.int().nonnegative()
/** A key version. */
export const versionNumber: z.ZodType<number> = z.int().min(1).max(0xffff_ffff)
