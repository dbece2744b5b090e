import { z } from 'zod'

const DEFAULT = 0o600

/**
 * Schema of `file_permissions`: a numeric mode (384 is 0600) or an octal string (`"0600"`, `"600"`); leaves as a number.
 * The owner must be able to read and write, and nobody else may do anything.
 */
export function filePermissions(): z.ZodType<number, number | string | undefined> {
  return z
    .union([
      z.int(),
      z
        .string()
        .regex(/^0?[0-7]{3}$/, 'must be an octal string such as "0600"')
        .transform((text) => Number.parseInt(text, 8)),
    ])
    .refine((mode) => mode >= 0 && mode <= 0o777, 'must be a file mode: "0600", or 384 as a number')
    .refine((mode) => (mode & 0o077) === 0, 'must not give group or others access: "0600", or 384 as a number')
    .refine((mode) => (mode & 0o600) === 0o600, 'must let the owner read and write: "0600", or 384 as a number')
    .default(DEFAULT)
}

/** As people write a mode: `0600`. */
export function formatPermissions(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
