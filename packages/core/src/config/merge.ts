import { kmsError } from '../errors/kms-error.ts'
import { type ConfigSchema, commonFields, exclusiveConflict } from './config-schema.ts'
import type { BackendDriver, ConfigDocument } from './driver.ts'
import { isJsonObject, type JsonObject, valueAt, withValueAt } from './json.ts'
import { REDACTED, Secret } from './secret.ts'

/** What {@link mergeConfig} needs to know besides the patch. */
export interface MergeOptions {
  readonly schema: ConfigSchema
  /**
   * `merge`: what the payload omits stays. `replace`: it goes; only secrets given as blank or `***` are kept. `mend`: as
   * `merge`, for another way to the same store, so what is stored carries over wherever the payload points; the common
   * fields other than the deadline and the retries are not part of it.
   */
  readonly mode: 'merge' | 'replace' | 'mend'
  /** The stored configuration, if there is one. */
  readonly current: ConfigDocument | undefined
  /** The configuration with which the store at this place was last used, if it is a known one. */
  knownStore(driver: BackendDriver, identity: string): ConfigDocument | undefined
}

/** The outcome of a merge. */
export interface MergedConfig {
  readonly config: ConfigDocument
  /** Whether the patch carried a secret that was not blank: such a patch is never a no-op. */
  readonly suppliesSecret: boolean
}

/**
 * Merges a patch into the stored configuration: RFC 7396 with the four rules of contract §2 ("Merge"), then validates
 * the whole. Throws `ValidationError` or `SecretRequired`; changes nothing.
 */
export function mergeConfig(payload: unknown, options: MergeOptions): MergedConfig {
  const { schema, current } = options
  // A document that replaces the stored one says itself which backend it is for.
  const assumedType = options.mode === 'replace' ? undefined : current?.backend_type
  const patch = schema.canonicalise(payload, assumedType)
  const driver = schema.driver(patch['backend_type'] ?? assumedType)
  if (options.mode === 'mend') refuseBeyondConnection(patch, assumedType)
  const { kept, patch: cleaned, suppliesSecret } = separateSecrets(patch, driver)
  refuseBothOfExclusive(cleaned, kept, driver)
  const stored = chooseBase(cleaned, driver, options)
  const base = options.mode === 'replace' ? only(kept, stored) : stored
  const merged = clearExclusive(mergePatch(base, cleaned, driver), cleaned, driver)
  const complete: JsonObject = { ...merged, backend_type: driver.type }
  refuseMovedSecrets(stored, complete, driver)
  const orphan = kept.find((path) => valueAt(complete, path) === undefined && valueAt(complete, path.slice(0, -1)))
  if (orphan !== undefined) {
    throw kmsError('ValidationError', { path: orphan.join('.'), reason: 'is blank and no secret is stored for it' })
  }
  return { config: schema.parse(complete), suppliesSecret }
}

/** Rule 1, second half: a blank or redacted secret keeps the stored one, so it is taken out of the patch. */
function separateSecrets(patch: JsonObject, driver: BackendDriver) {
  const kept: (readonly string[])[] = []
  let cleaned = patch
  let suppliesSecret = false
  for (const path of driver.secrets) {
    const value = valueAt(cleaned, path)
    if (typeof value !== 'string') continue
    if (value.trim() === '' || value === REDACTED) {
      kept.push(path)
      cleaned = withValueAt(cleaned, path, undefined)
    } else suppliesSecret = true
  }
  return { kept, patch: cleaned, suppliesSecret }
}

/** Of `value`, only what is at `paths`. */
function only(paths: readonly (readonly string[])[], value: JsonObject): JsonObject {
  return paths.reduce<JsonObject>((kept, path) => {
    const found = valueAt(value, path)
    return found === undefined ? kept : withValueAt(kept, path, found)
  }, {})
}

/**
 * Rule 3: with the same backend at the same place the patch applies to the stored document. Otherwise the common
 * fields carry over, and backend fields and secrets come from the known store of that place or from nowhere.
 */
function chooseBase(patch: JsonObject, driver: BackendDriver, { mode, current, knownStore }: MergeOptions): JsonObject {
  if (current === undefined) return {}
  if (mode === 'mend') return current
  if (current.backend_type === driver.type) {
    const before = driver.identity(current)
    if (driver.identity(mergePatch(current, patch, driver)) === before) return current
  }
  const common = Object.entries(current).filter(([field]) => commonFields.has(field))
  const ownPatch = Object.fromEntries(Object.entries(patch).filter(([field]) => !commonFields.has(field)))
  const identity = driver.identity(ownPatch)
  const known = identity === undefined ? undefined : knownStore(driver, identity)
  const backend = Object.entries(known ?? {}).filter(([field]) => !commonFields.has(field))
  return Object.fromEntries([...backend, ...common])
}

/** RFC 7396, except that naming another variant of a variant field replaces the field whole (rule 1). */
function mergePatch(base: JsonObject, patch: JsonObject, driver: BackendDriver): JsonObject {
  const merged: Record<string, unknown> = { ...base }
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field]
    else if (!isJsonObject(value)) merged[field] = value
    else {
      const stored = merged[field]
      const replace = driver.variants.includes(field) && !sameVariant(stored, value)
      merged[field] = mergeObject(isJsonObject(stored) && !replace ? stored : {}, value)
    }
  }
  return merged
}

function mergeObject(base: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(base))
  for (const [name, value] of Object.entries(patch)) {
    const stored = merged.get(name)
    if (value === null) merged.delete(name)
    else merged.set(name, isJsonObject(value) ? mergeObject(isJsonObject(stored) ? stored : {}, value) : value)
  }
  return Object.fromEntries(merged)
}

function sameVariant(stored: unknown, value: JsonObject): boolean {
  return isJsonObject(stored) && Object.keys(value).every((variant) => Object.hasOwn(stored, variant))
}

/** Rule 2: one of an exclusive group clears the others. */
function clearExclusive(merged: JsonObject, patch: JsonObject, driver: BackendDriver): JsonObject {
  let result = merged
  for (const group of driver.exclusive) {
    const members = group.map(pathOf)
    const given = members.find((path) => isGiven(patch, path))
    if (given === undefined) continue
    for (const path of members) if (path !== given) result = withValueAt(result, path, undefined)
  }
  return result
}

/** Rule 2 is about what is stored; a payload that names two of a group means nothing, a secret to be kept included. */
function refuseBothOfExclusive(patch: JsonObject, kept: readonly (readonly string[])[], driver: BackendDriver): void {
  const keptFields = new Set(kept.map((path) => path.join('.')))
  for (const group of driver.exclusive) {
    const named = group.filter((field) => isGiven(patch, pathOf(field)) || keptFields.has(field))
    if (named.length > 1) throw exclusiveConflict(group, named)
  }
}

function pathOf(field: string): readonly string[] {
  return field.split('.')
}

function isGiven(patch: JsonObject, path: readonly string[]): boolean {
  const value = valueAt(patch, path)
  return value !== undefined && value !== null
}

/** A store keeps its backend, and how a retired one would wrap is nothing to mend. */
function refuseBeyondConnection(patch: JsonObject, type: string | undefined): void {
  for (const field of Object.keys(patch)) {
    if (field === 'backend_type' ? patch[field] === type : !commonFields.has(field) || CONNECTION_FIELDS.has(field)) {
      continue
    }
    const reason =
      field === 'backend_type'
        ? `the store is one of the ${type} backend and stays one`
        : 'is not part of the connection of a retired store'
    throw kmsError('ValidationError', { path: field, reason })
  }
}

const CONNECTION_FIELDS: ReadonlySet<string> = new Set(['timeout_seconds', 'retry_attempts'])

/** Rule 4: a stored secret never follows a changed address. */
function refuseMovedSecrets(base: JsonObject, merged: JsonObject, driver: BackendDriver): void {
  for (const path of driver.secrets) {
    const secret = valueAt(merged, path)
    if (!(secret instanceof Secret) || secret !== valueAt(base, path)) continue
    if (driver.secretBinding(base) !== driver.secretBinding(merged)) {
      throw kmsError('SecretRequired', { path: path.join('.') })
    }
  }
}
