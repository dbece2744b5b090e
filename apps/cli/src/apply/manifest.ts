import { usageError } from '../exit-codes.ts'
import { nearest } from './nearest.ts'

/** How a server is meant to be; what is not named is left as it is. */
export interface Manifest {
  readonly config?: Readonly<Record<string, unknown>>
  /** `running` unless given, where there is a `config`. */
  readonly state?: 'running' | 'stopped'
  readonly keys: readonly ManifestKey[]
  readonly policies: readonly ManifestPolicy[]
  readonly users: readonly ManifestUser[]
}

export interface ManifestKey {
  readonly name: string
  readonly description?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly aliases?: readonly string[]
  readonly enabled?: boolean
  /** `null`: never. */
  readonly rotation_period_days?: number | null
}

export interface ManifestPolicy {
  readonly name: string
  readonly document: Readonly<Record<string, unknown>>
}

export interface ManifestUser {
  readonly access_key: string
  /** Used when the user is made; of a user that is there it cannot be compared. */
  readonly secret_key?: string
  readonly status?: 'enabled' | 'disabled'
  readonly policies?: readonly string[]
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string' && value !== ''
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText)
const isTextMap: Check = (value) =>
  isObject(value) && Object.values(value as object).every((inner) => typeof inner === 'string')
const isBoolean: Check = (value) => typeof value === 'boolean'
const oneOf =
  (...words: string[]): Check =>
  (value) =>
    words.includes(String(value))

const keyFields = {
  name: isText,
  description: (value: unknown) => typeof value === 'string',
  tags: isTextMap,
  aliases: isTexts,
  enabled: isBoolean,
  rotation_period_days: (value: unknown) => value === null || Number.isInteger(value),
}
const policyFields = { name: isText, document: isObject }
const userFields = {
  access_key: isText,
  secret_key: isText,
  status: oneOf('enabled', 'disabled'),
  policies: isTexts,
}

/** Checks a document and gives it its type. Throws with the place of what is wrong. */
export function readManifest(document: unknown): Manifest {
  const top = checkObject(document ?? {}, '', {
    config: isObject,
    state: oneOf('running', 'stopped'),
    keys: Array.isArray,
    policies: Array.isArray,
    users: Array.isArray,
  })
  const list = (name: string, fields: Readonly<Record<string, Check>>, required: readonly string[]) =>
    ((top[name] ?? []) as unknown[]).map((item, index) => checkObject(item, `${name}[${index}]`, fields, required))
  return {
    ...(top as { config?: Readonly<Record<string, unknown>>; state?: 'running' | 'stopped' }),
    keys: list('keys', keyFields, ['name']) as unknown as ManifestKey[],
    policies: list('policies', policyFields, ['name', 'document']) as unknown as ManifestPolicy[],
    users: list('users', userFields, ['access_key']) as unknown as ManifestUser[],
  }
}

function checkObject(
  value: unknown,
  where: string,
  fields: Readonly<Record<string, Check>>,
  required: readonly string[] = [],
): Record<string, unknown> {
  if (!isObject(value)) throw usageError(`${where || 'The document'} must be an object.`)
  const found = value as Record<string, unknown>
  for (const [name, inner] of Object.entries(found)) {
    const path = where === '' ? name : `${where}.${name}`
    const check = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (check === undefined) {
      const suggestion = nearest(name, Object.keys(fields))
      throw usageError(`${path} is not a known field${suggestion === undefined ? '' : `; did you mean ${suggestion}?`}`)
    }
    if (!check(inner)) throw usageError(`${path} has a value of the wrong kind.`)
  }
  for (const name of required) if (found[name] === undefined) throw usageError(`${where}.${name} is required.`)
  return found
}
