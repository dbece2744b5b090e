import { z } from 'zod'
import { kmsError } from '../errors/kms-error.ts'
import { parseKeyReference } from '../keys/key-name.ts'
import type { BackendDriver, ConfigDocument } from './driver.ts'
import { isJsonObject, type JsonObject, valueAt } from './json.ts'
import { nearest } from './nearest.ts'

/** Schemas of the fields every backend shares, with the defaults and bounds of contract §2. */
const commonShape = {
  backend_type: z.string(),
  default_key_id: z
    .string()
    .transform((text) => parseKeyReference(text, 'default_key_id').name)
    .optional(),
  timeout_seconds: z.int().min(1).max(300).default(30),
  retry_attempts: z.int().min(0).max(10).default(3),
  enable_cache: z.boolean().default(true),
  max_cached_keys: z.int().min(1).max(1_000_000).default(1000),
  cache_ttl_seconds: z.int().min(1).max(86_400).default(300),
  allow_offline_decryption: z.boolean().default(false),
} as const

/** Names of the common fields. */
export const commonFields: ReadonlySet<string> = new Set(Object.keys(commonShape))

/** Reads configuration documents for a set of drivers. */
export interface ConfigSchema {
  readonly drivers: readonly BackendDriver[]
  /** The driver of a `backend_type`, in any accepted spelling. Throws `ValidationError`. */
  driver(type: unknown): BackendDriver
  /**
   * Brings a payload into canonical spelling: `backend_type`, field aliases, inner forms. Values are not validated.
   * A payload that names no backend is read as one for `currentType`.
   * Throws `ValidationError` for a top-level field no driver knows (naming the nearest one), one of another backend,
   * one that stands there twice under two spellings, or when `payload` is no object.
   */
  canonicalise(payload: unknown, currentType?: string): JsonObject
  /** Validates a merged, canonical document and fills in defaults. Throws `ValidationError` with the field's path. */
  parse(document: JsonObject): ConfigDocument
}

export function createConfigSchema(drivers: readonly BackendDriver[]): ConfigSchema {
  const byType = new Map<string, BackendDriver>()
  const fieldsOf = new Map<BackendDriver, ReadonlyMap<string, string>>()
  const everyName = new Set(commonFields)
  for (const driver of drivers) {
    for (const type of [driver.type, ...driver.aliases]) byType.set(type, driver)
    const fields = new Map([...commonFields, ...Object.keys(driver.shape)].map((field) => [field, field]))
    for (const [alias, field] of driver.fieldAliases) fields.set(alias, field)
    fieldsOf.set(driver, fields)
    for (const name of fields.keys()) everyName.add(name)
  }
  const schemas = new Map<BackendDriver, z.ZodType>(
    drivers.map((driver) => [driver, z.strictObject({ ...commonShape, ...driver.shape })]),
  )
  const types = drivers.map((driver) => driver.type)

  function findDriver(type: unknown): BackendDriver {
    const driver = typeof type === 'string' ? byType.get(type) : undefined
    if (driver !== undefined) return driver
    const reason = type === undefined ? `is required: ${types.join(' or ')}` : `must be ${types.join(' or ')}`
    throw kmsError('ValidationError', { path: 'backend_type', reason })
  }

  return {
    drivers,
    driver: findDriver,

    canonicalise(payload, currentType) {
      if (!isJsonObject(payload)) {
        throw kmsError('ValidationError', { path: 'body', reason: 'must be a JSON object' })
      }
      for (const name of Object.keys(payload)) if (!everyName.has(name)) throw unknownField(name, everyName)
      const driver = findDriver(payload['backend_type'] ?? currentType)
      const fields = fieldsOf.get(driver) as ReadonlyMap<string, string>
      const canonical = new Map<string, unknown>()
      for (const [name, value] of Object.entries(payload)) {
        const field = fields.get(name)
        if (field === undefined) {
          throw kmsError('ValidationError', { path: name, reason: `is not a field of the ${driver.type} backend` })
        }
        if (canonical.has(field)) {
          throw kmsError('ValidationError', { path: field, reason: `stands there twice (also as "${name}")` })
        }
        canonical.set(field, field === 'backend_type' ? driver.type : (driver.canonicalise?.(field, value) ?? value))
      }
      return Object.fromEntries(canonical)
    },

    parse(document) {
      const driver = findDriver(document['backend_type'])
      for (const group of driver.exclusive) {
        const present = group.filter((field) => valueAt(document, field.split('.')) !== undefined)
        if (present.length > 1) throw exclusiveConflict(group, present)
      }
      const result = (schemas.get(driver) as z.ZodType).safeParse(document)
      if (!result.success) throw fromZod(result.error, document)
      const config = result.data as ConfigDocument
      const defect = driver.check?.(config)
      if (defect !== undefined) throw kmsError('ValidationError', defect)
      return config
    },
  }
}

/** `ValidationError` for a payload that names several fields of a group of which one may be set. */
export function exclusiveConflict(group: readonly string[], [first, second = '']: readonly string[]): Error {
  return kmsError('ValidationError', {
    path: second,
    reason: `excludes ${first}: give one of ${group.join(', ')}`,
  })
}

function unknownField(field: string, known: Iterable<string>): Error {
  const suggestion = nearest(field, known)
  const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
  return kmsError('ValidationError', { path: field.slice(0, 64), reason: `is not a known field${hint}` })
}

/** The first issue, in our words: the path to the field and what it must be; never the value, which may be secret. */
function fromZod(error: z.ZodError, document: JsonObject): Error {
  let issue = error.issues[0] as z.core.$ZodIssue
  const base: PropertyKey[] = [...issue.path]
  // Of a union's alternatives the one that got furthest says most.
  while (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const alternatives = issue.errors.map((issues) => issues[0] as z.core.$ZodIssue)
    issue = alternatives.reduce((best, next) => (next.path.length > best.path.length ? next : best))
    base.push(...issue.path)
  }
  const path = base.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    const field = [path, issue.keys[0]].filter(Boolean).join('.')
    return kmsError('ValidationError', { path: field, reason: 'is not a known field' })
  }
  const absent = issue.code === 'invalid_type' && base.length > 0 && !hasPath(document, base)
  return kmsError('ValidationError', { path: path || 'body', reason: absent ? 'is required' : issue.message })
}

function hasPath(document: unknown, path: readonly PropertyKey[]): boolean {
  let current = document
  for (const name of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return false
    current = (current as Record<PropertyKey, unknown>)[name]
  }
  return current !== undefined
}
