import { z } from '@hono/zod-openapi'

/** `"NotConfigured" | "Configured" | "Running" | {"Error": "…"}`. */
export const wireStatus: z.ZodType = z
  .union([z.literal(['NotConfigured', 'Configured', 'Running']), z.strictObject({ Error: z.string() })])
  .openapi('Status')

export const errorReply: z.ZodType = z
  .strictObject({
    success: z.literal(false),
    code: z.string().openapi({ description: 'Stable; the message is not.' }),
    message: z.string(),
    request_id: z.string(),
    status: wireStatus.optional(),
  })
  .openapi('Error')

export const time: z.ZodType = z.iso.datetime().openapi({ description: 'RFC 3339, UTC' })

/** A reply with `success` and `message`. */
export function successReply(shape: Readonly<Record<string, z.ZodType>>): z.ZodObject {
  return z.strictObject({ success: z.literal(true), message: z.string(), ...shape })
}

const change = z
  .strictObject({ path: z.string(), from: z.unknown().optional(), to: z.unknown().optional() })
  .openapi('ConfigChange', { description: 'One changed field of the configuration; secrets as ***.' })

export const changes: z.ZodType = z.array(change)

/** Of the stored document; 0 when there is none. */
export const revision: z.ZodInt = z.int().min(0)

/** A driver's summary of a configuration; no secrets. */
export const summary: z.ZodType = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))

/** Base64 in its canonical form. */
export const base64: z.ZodString = z.string().openapi({ format: 'byte' })
