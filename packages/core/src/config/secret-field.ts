import { z } from 'zod'
import { Secret } from './secret.ts'

/** Schema of a secret in a driver's shape: a non-empty string becomes a {@link Secret}, a stored one passes. */
export function secretField(): z.ZodType<Secret, string | Secret> {
  return z.union([
    z.instanceof(Secret),
    z
      .string()
      .min(1, 'must not be empty')
      .max(65_536)
      .transform((text) => new Secret(text)),
  ]) as z.ZodType<Secret, string | Secret>
}
