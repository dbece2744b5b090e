import { makeCanary, opensCanary, refusesForeignAad } from '../canary/canary.ts'
import type { Canary } from '../canary/canary-store.ts'
import type { Clock } from '../clock.ts'
import { isKmsError, KmsError, kmsError } from '../errors/kms-error.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import type { Random } from '../random.ts'
import type { OpenStore } from './open-store.ts'

/** One step of a proof, as the operator reads it. */
export interface ProofStep {
  readonly step: 'open' | 'health' | 'default key' | 'fresh canary' | 'negative canary' | 'stored canaries'
  readonly detail: string
  readonly milliseconds: number
}

/** What a proof established. */
export interface Proof {
  readonly steps: readonly ProofStep[]
  /** The key `default_key_id` names; absent when none is configured, and when what it names cannot be told. */
  readonly defaultKeyId?: string
  /** What is wrong but does not stand in the way; public. */
  readonly warnings: readonly string[]
}

export interface ProveOptions {
  readonly store: OpenStore
  /** Where the store is, for messages. */
  readonly place: string
  /** `default_key_id` of the configuration. */
  readonly defaultKey: string | undefined
  /** The id `defaultKey` named when it was resolved before: moving an alias later does not move the default. */
  readonly resolvedDefaultKeyId: string | undefined
  /** What may be done about an absent default key of a store that never had a key; `tell` says what would be. */
  readonly newDefaultKey: 'create' | 'tell' | 'refuse'
  /** Whether a default key that exists but may not wrap fails the proof: yes for a change, no for starting again. */
  readonly requireUsableDefaultKey: boolean
  /** Whether this server has used the store before. */
  readonly known: boolean
  readonly clock: Clock
  readonly random: Random
}

/** Formats §7: up to this many stored canaries are opened, all of them if there are no more. */
const STORED_CANARIES = 256
/** How many at once: enough that a far-away store does not take minutes. */
const CANARIES_AT_ONCE = 8

/**
 * Proves that a backend does what it must before it serves (formats §7). The first step that fails ends it, and is
 * named in the error: `RealmConflict` when a known store no longer opens what it wrapped, `DefaultKeyMissing`,
 * `ProofFailed`, or the backend's own reason.
 */
export async function proveStore(options: ProveOptions): Promise<Proof> {
  const { store, clock } = options
  const { steps, step } = createTranscript(clock)
  const warnings: string[] = []

  await step('health', () => askHealth(store))

  const defaultKey = await step('default key', () => findDefaultKey(options, warnings))

  const canary = await step<Canary | undefined>('fresh canary', async () => {
    const preferred = defaultKey?.record
    const record = preferred !== undefined && mayWrap(preferred) ? preferred : await anyUsableKey(store)
    if (record === undefined) return { detail: 'the store has no usable key yet', value: undefined }
    const fresh = await store.call((backend) => makeCanary(backend, record, options.random))
    if (!(await store.call((backend) => opensCanary(backend, fresh)))) {
      throw kmsError('ProofFailed', {
        step: 'fresh canary',
        reason: 'what was wrapped did not unwrap to the same bytes',
      })
    }
    return { detail: `wrapped and unwrapped under "${record.keyId}"`, value: fresh }
  })

  if (canary !== undefined) {
    await step('negative canary', async () => {
      if (!(await store.call((backend) => refusesForeignAad(backend, canary)))) {
        throw kmsError('ProofFailed', {
          step: 'negative canary',
          reason: 'it opened a ciphertext under another encryption context, so contexts would protect nothing',
        })
      }
      return { detail: 'another context was refused', value: undefined }
    })
  }

  if (options.known) {
    await step('stored canaries', () => openStoredCanaries(store, options.place, defaultKey?.keyId, warnings))
  }

  return { steps, warnings, ...(defaultKey?.keyId === undefined ? {} : { defaultKeyId: defaultKey.keyId }) }
}

/** Proves that a known store still opens what it wrapped, and nothing of how it would wrap: enough for a retired one. */
export async function proveOpens(store: OpenStore, place: string, clock: Clock): Promise<Proof> {
  const { steps, step } = createTranscript(clock)
  const warnings: string[] = []
  await step('health', () => askHealth(store))
  await step('stored canaries', () => openStoredCanaries(store, place, undefined, warnings))
  return { steps, warnings }
}

/** Runs steps one after the other and writes down how they went; a step that fails is named in its error. */
function createTranscript(clock: Clock) {
  const steps: ProofStep[] = []
  return {
    steps,
    async step<T>(name: ProofStep['step'], work: () => Promise<{ detail: string; value: T }>): Promise<T> {
      const startedAt = clock.now()
      try {
        const { detail, value } = await work()
        steps.push({ step: name, detail, milliseconds: clock.now() - startedAt })
        return value
      } catch (error) {
        if (!isKmsError(error) || error.code === 'ProofFailed') throw error
        const { code, retryAfterSeconds } = error
        throw new KmsError(code, `${name}: ${error.message}`, {
          cause: error,
          ...(retryAfterSeconds ? { retryAfterSeconds } : {}),
        })
      }
    },
  }
}

async function askHealth(store: OpenStore) {
  await store.call((backend) => backend.health())
  return { detail: 'the store answers', value: undefined }
}

/** The default key: its id, and its record unless that cannot be read. */
interface DefaultKey {
  /** Absent while only an unreadable record could tell: what is configured may be an alias. */
  readonly keyId?: string
  readonly record?: KeyRecord
}

async function findDefaultKey(
  options: ProveOptions,
  warnings: string[],
): Promise<{ detail: string; value: DefaultKey | undefined }> {
  const { store, defaultKey, resolvedDefaultKeyId, newDefaultKey, requireUsableDefaultKey } = options
  if (defaultKey === undefined) return { detail: 'none is configured', value: undefined }
  const keyId = resolvedDefaultKeyId ?? defaultKey
  let record: KeyRecord
  try {
    record = await store.describe(keyId, false)
  } catch (error) {
    // One damaged key is no reason to keep all the others from being used.
    if (isKmsError(error, 'KeyUnavailable') && !requireUsableDefaultKey) {
      warnings.push(`${error.message} Requests that name no key will fail.`)
      const known = resolvedDefaultKeyId === undefined ? {} : { keyId: resolvedDefaultKeyId }
      return { detail: `"${keyId}" cannot be read`, value: known }
    }
    if (!isKmsError(error, 'KeyNotFound', 'KeyDestroyed')) throw error
    if (newDefaultKey === 'refuse' || !(await isVirgin(store))) {
      const missing = kmsError('DefaultKeyMissing', { key: defaultKey })
      // One that was there before: the store has other keys, and what they wrapped must open again.
      if (requireUsableDefaultKey || resolvedDefaultKeyId === undefined) throw missing
      warnings.push(`${missing.message} Requests that name no key will fail.`)
      return { detail: `"${keyId}" does not exist`, value: { keyId } }
    }
    if (newDefaultKey === 'tell') return { detail: `"${defaultKey}" would be created`, value: undefined }
    record = await store.call((backend) =>
      backend.create({ keyId: defaultKey, aliases: [], description: 'Default key', tags: new Map() }),
    )
    await store.remember(record)
    return { detail: `"${record.keyId}" was created`, value: { keyId: record.keyId, record } }
  }
  if (!mayWrap(record)) {
    const reason = `the default key "${record.keyId}" is ${record.problem ?? record.state}`
    if (requireUsableDefaultKey) throw kmsError('ProofFailed', { step: 'default key', reason })
    warnings.push(`${reason}: requests that name no key will fail`)
  }
  return { detail: `"${record.keyId}" is ${record.state}`, value: { keyId: record.keyId, record } }
}

/** Whether no key was ever made here, as far as the store and this server's memory tell. */
async function isVirgin(store: OpenStore): Promise<boolean> {
  if (!store.canaries.isEmpty) return false
  const page = await store.call((backend) => backend.list({ limit: 1 }))
  return page.keys.length === 0 && page.unreadable.length === 0
}

async function anyUsableKey(store: OpenStore): Promise<KeyRecord | undefined> {
  const page = await store.call((backend) => backend.list({ limit: 100 }))
  return page.keys.map((record) => store.judge(record)).find(mayWrap)
}

function mayWrap(record: KeyRecord): boolean {
  return record.state === 'Enabled'
}

async function openStoredCanaries(
  store: OpenStore,
  place: string,
  defaultKeyId: string | undefined,
  warnings: string[],
) {
  const canaries = await store.canaries.sample(STORED_CANARIES, defaultKeyId)
  let opened = 0
  let unreadable = 0
  const next = canaries.values()
  const openOneAfterAnother = async (): Promise<void> => {
    for (const canary of next) {
      const outcome = await store.call((backend) => tryCanary(canary, backend))
      if (outcome === 'opened') opened++
      else if (outcome === 'unreadable') unreadable++
      else if (outcome === 'destroyed') await store.canaries.markDestroyed(canary.keyId, canary.version)
      else throw kmsError('RealmConflict', { place, realm: store.realm, reason: outcome.reason })
    }
  }
  await Promise.all(Array.from({ length: CANARIES_AT_ONCE }, openOneAfterAnother))
  if (opened === 0 && unreadable > 0) {
    throw kmsError('RealmConflict', { place, realm: store.realm, reason: 'none of its known keys can be read' })
  }
  if (unreadable > 0) warnings.push(`${unreadable} of ${canaries.length} known key versions cannot be read`)
  return { detail: `${opened} of ${canaries.length} opened`, value: undefined }
}

/**
 * Opens a stored canary. One damaged key (`unreadable`) says nothing about the others; `destroyed` is a key or version the
 * store itself says was given up on purpose, by another server perhaps.
 */
async function tryCanary(
  canary: Canary,
  backend: OpenStore['backend'],
): Promise<'opened' | 'unreadable' | 'destroyed' | { readonly reason: string }> {
  const name = `key "${canary.keyId}" version ${canary.version}`
  try {
    if (await opensCanary(backend, canary)) return 'opened'
    return { reason: `${name} opens to other bytes than were wrapped` }
  } catch (error) {
    if (isKmsError(error, 'KeyDestroyed')) return 'destroyed'
    if (isKmsError(error, 'KeyUnavailable')) return 'unreadable'
    if (isKmsError(error, 'KeyNotFound')) return { reason: `${name} is gone` }
    if (!isKmsError(error, 'InvalidCiphertext', 'KeyMaterialReplaced')) throw error
    const record = await backend.describe(canary.keyId)
    if (record.keyId === canary.keyId && canary.version < record.oldestVersion) return 'destroyed'
    // An older record was brought back: that key is shown as rolled back and not used, and the others are.
    if (record.keyId === canary.keyId && canary.version > record.currentVersion) return 'unreadable'
    return { reason: `${name} no longer opens what it wrapped` }
  }
}
