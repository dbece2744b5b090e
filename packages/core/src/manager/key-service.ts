import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { KeyRecord, KeyState, NewKey } from '../keys/key-backend.ts'
import { isKeyName } from '../keys/key-name.ts'
import type { OpenStore } from '../store/open-store.ts'
import { type Authorize, resolveKey } from './resolve-key.ts'
import { onSnapshot, type SnapshotSource } from './snapshot.ts'

export interface CreateKeyInput {
  /** The id; absent: a UUID v4. */
  readonly name?: string
  /** At most 8192 characters. Without a name, a description that is itself a free key name becomes an alias too. */
  readonly description?: string
  readonly tags?: ReadonlyMap<string, string>
  readonly authorize: Authorize
}

export interface CreatedKey {
  readonly record: KeyRecord
  /** Set when the description could have been an alias and its name was taken. */
  readonly takenAlias?: string
}

export interface ListKeysInput {
  /** 0–1000. */
  readonly limit: number
  /** `next` of the page before. */
  readonly marker?: string
  readonly state?: KeyState
}

export interface KeyListing {
  readonly keys: readonly KeyRecord[]
  /** Ids whose records cannot be read. */
  readonly unreadable: readonly string[]
  /** Opaque; absent on the last page. */
  readonly next?: string
}

/** Manages the keys of the active store. Throws `NotRunning`, `BackendUnavailable`, `BackendTimeout` besides. */
export interface KeyService {
  /** Throws `ValidationError` for bad names and tags, `KeyAlreadyExists`, `KeyIdRetired`. */
  create(input: CreateKeyInput): Promise<CreatedKey>
  /** Throws `KeyNotFound`, `KeyUnavailable`. */
  describe(input: { readonly key: string; readonly authorize: Authorize }): Promise<KeyRecord>
  /** Throws `ValidationError` for a marker that is not ours. */
  list(input: ListKeysInput): Promise<KeyListing>
}

const MAX_DESCRIPTION = 8192
const MAX_TAGS = 50
const MAX_TAG_KEY = 128
const MAX_TAG_VALUE = 256

export function createKeyService(source: SnapshotSource): KeyService {
  return {
    async create({ name, description = '', tags = new Map(), authorize }) {
      const keyId = name ?? randomUUID()
      if (!isKeyName(keyId)) {
        const reason =
          'must have 1 to 128 of A-Z a-z 0-9 . _ -, start and end with a letter, digit or _, and hold no ..'
        throw kmsError('ValidationError', { path: 'key_name', reason })
      }
      authorize(keyId)
      checkText(description, tags)
      const { active } = source.current()
      const alias = name === undefined && isKeyName(description) ? description : undefined
      const key: NewKey = { keyId, aliases: alias === undefined ? [] : [alias], description, tags }
      return active.use(async () => {
        let record: KeyRecord
        let takenAlias: string | undefined
        try {
          record = await active.call((backend) => backend.create(key))
        } catch (error) {
          if (alias === undefined || !isKmsError(error, 'KeyAlreadyExists')) throw error
          takenAlias = alias
          record = await active.call((backend) => backend.create({ ...key, aliases: [] }))
        }
        active.forget()
        await active.remember(record)
        return { record: active.judge(record), ...(takenAlias === undefined ? {} : { takenAlias }) }
      })
    },

    async describe({ key, authorize }) {
      return onSnapshot(source, (snapshot) => snapshot.active.use(() => resolveKey(snapshot, key, authorize)))
    },

    async list({ limit, marker, state }) {
      const start = marker === undefined ? undefined : decodeMarker(marker)
      return onSnapshot(source, ({ active }) => active.use(() => listFrom(active, limit, start, state)))
    },
  }
}

async function listFrom(store: OpenStore, limit: number, start?: string, state?: KeyState): Promise<KeyListing> {
  const keys: KeyRecord[] = []
  const unreadable: string[] = []
  let after = start
  while (keys.length + unreadable.length < limit) {
    const from = after === undefined ? {} : { after }
    const page = await store.call((backend) => backend.list({ limit: limit - keys.length, ...from }))
    unreadable.push(...page.unreadable)
    for (const record of page.keys.map((found) => store.judge(found))) {
      if (state === undefined || record.state === state) keys.push(record)
    }
    after = page.next
    if (after === undefined) return { keys, unreadable }
  }
  return { keys, unreadable, ...(after === undefined ? {} : { next: encodeMarker(after) }) }
}

function checkText(description: string, tags: ReadonlyMap<string, string>): void {
  if (description.length > MAX_DESCRIPTION || !description.isWellFormed()) {
    const reason = `must be well-formed Unicode of at most ${MAX_DESCRIPTION} characters`
    throw kmsError('ValidationError', { path: 'description', reason })
  }
  if (tags.size > MAX_TAGS)
    throw kmsError('ValidationError', { path: 'tags', reason: `at most ${MAX_TAGS} are allowed` })
  for (const [key, value] of tags) {
    const good = key.isWellFormed() && value.isWellFormed() && key.length >= 1
    if (!good || key.length > MAX_TAG_KEY || value.length > MAX_TAG_VALUE) {
      const reason = `keys have 1 to ${MAX_TAG_KEY} characters, values at most ${MAX_TAG_VALUE}, well-formed Unicode`
      throw kmsError('ValidationError', { path: 'tags', reason })
    }
  }
}

function encodeMarker(keyId: string): string {
  return Buffer.from(keyId).toString('base64url')
}

function decodeMarker(marker: string): string {
  const keyId = Buffer.from(marker, 'base64url').toString()
  if (encodeMarker(keyId) !== marker || !isKeyName(keyId)) {
    throw kmsError('ValidationError', { path: 'marker', reason: 'must be the next_marker of an earlier page' })
  }
  return keyId
}
