import { Buffer } from 'node:buffer'
import { isIP } from 'node:net'
import { isAbsolute, normalize, resolve } from 'node:path'
import { Secret } from '@kms/core'
import { z } from 'zod'

/** Where to listen. */
export interface ListenAddress {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/** One value as it comes from a flag, the environment (both text) or a configuration file. */
const scalar: z.ZodType<string> = z
  .union([z.string(), z.number(), z.boolean()], { error: 'must be text, a number or a truth value' })
  .transform(String)
  .pipe(
    z
      .string()
      .min(1, 'is empty; give a value or leave it out')
      .refine((text) => !text.includes('\0'), 'must not contain a null byte'),
  )

export const text: z.ZodType<string> = scalar

/** Text that no log, message or `JSON.stringify` shows. */
export const secretText: z.ZodType<Secret> = scalar.transform((value) => new Secret(value))

export function pattern(expression: RegExp, reason: string): z.ZodType<string> {
  return scalar.refine((value) => expression.test(value), reason)
}

export function choice<T extends string>(values: readonly [T, ...T[]]): z.ZodType<T> {
  return scalar.pipe(z.enum(values, { error: `must be ${values.join(', ')}` }))
}

export const bearerToken: z.ZodType<Secret> = scalar
  .refine((value) => /^[!-~]{8,256}$/.test(value), 'must be 8 to 256 printable characters without space')
  .transform((value) => new Secret(value))

export const onOff: z.ZodType<boolean> = scalar
  .pipe(z.enum(['on', 'off', 'true', 'false'], { error: 'must be on or off' }))
  .transform((value) => value === 'on' || value === 'true')

export function integer(least: number, most: number): z.ZodType<number> {
  const reason = `must be a whole number from ${least} to ${most}`
  return scalar
    .refine((value) => /^\d{1,9}$/.test(value), reason)
    .transform(Number)
    .refine((value) => value >= least && value <= most, reason)
}

/** A path; a relative one counts from the working directory. */
export const path: z.ZodType<string> = scalar.transform((value) => resolve(value))

/** A directory of a policy: absolute, so that it means the same wherever the server is started. */
export const absoluteDirectory: z.ZodType<string> = scalar
  .refine((value) => isAbsolute(value) && !value.split('/').includes('..'), 'must be absolute paths without ".."')
  .transform((value) => normalize(value).replace(/(?<=.)\/$/, ''))

/** Items separated by commas, or a JSON array in a configuration file. */
export function list<T>(item: z.ZodType<T>): z.ZodType<readonly T[]> {
  const items = z.array(item).min(1, 'must name at least one')
  return z
    .union([z.array(z.unknown()), scalar.transform((value) => value.split(',').map((part) => part.trim()))])
    .pipe(items)
}

/** `host:port`, `[v6]:port`. */
export const listenAddress: z.ZodType<ListenAddress> = scalar.transform((value, context) => {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(value)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  const bracketsFit = match?.[1] === undefined || isIP(match[1]) === 6
  if (host !== undefined && bracketsFit && port <= 65_535) return { host, port }
  context.issues.push({
    code: 'custom',
    input: value,
    message: 'must be host:port, such as 127.0.0.1:9000 or [::1]:9000, with a port from 0 to 65535',
  })
  return z.NEVER
})

/** 32 bytes as 44 characters of canonical base64. */
export const keyBytes: z.ZodType<Secret> = scalar
  .refine(
    (value) => decodeKeyBytes(value) !== undefined,
    'must be 32 bytes in base64: 44 characters (openssl rand -base64 32)',
  )
  .transform((value) => new Secret(value))

/** The 32 bytes, or `undefined` unless `value` is their one canonical base64 text. */
export function decodeKeyBytes(value: string): Buffer | undefined {
  if (value.length !== 44) return undefined
  const bytes = Buffer.from(value, 'base64')
  return bytes.length === 32 && bytes.toString('base64') === value ? bytes : undefined
}

/** An address or a network, such as `10.0.0.0/8`. */
export const network: z.ZodType<string> = scalar.refine((value) => {
  const [address = '', prefix, rest] = value.split('/')
  const version = isIP(address)
  if (version === 0 || rest !== undefined) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
}, 'must be addresses or networks, such as 10.0.0.0/8')
