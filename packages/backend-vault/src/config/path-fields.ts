import { isAbsolute, normalize } from 'node:path'
import { z } from 'zod'

/** Segments of mounts, namespaces and prefixes: what Vault takes there and a URL carries unchanged. */
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._~-]{0,127}$/
const MAX_SEGMENTS = 16

/** A path inside Vault (a mount, a namespace, a prefix), without slashes at its ends. */
export const vaultPath: z.ZodType<string, string> = z
  .string()
  .max(512)
  .transform((text) => text.replace(/^\/|\/$/g, ''))
  .refine(
    (path) => path.split('/').length <= MAX_SEGMENTS && path.split('/').every((segment) => SEGMENT.test(segment)),
    'must be segments of A-Z a-z 0-9 . _ ~ - separated by /, none of them empty or beginning with a dot',
  )

/** A file of this machine. */
export const absolutePath: z.ZodType<string, string> = z
  .string()
  .max(4000)
  .refine((text) => isAbsolute(text) && !text.includes('\0'), 'must be an absolute path')
  .refine((text) => !text.split('/').includes('..'), 'must not contain ".." segments')
  .transform((text) => normalize(text))
