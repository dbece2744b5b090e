import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { isJsonObject } from '../config/json.ts'
import type { Realm } from '../envelope/envelope.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import { openSealed, type SealPlace, sealValue } from '../seal/sealed-value.ts'
import type { ServerKeys } from '../seal/server-key.ts'
import { readChecked, STATE_FILE_MODE } from '../state/checked-file.ts'
import { syncDirectory, writeDurably } from '../state/durable-file.ts'
import { storageFailed } from '../state/storage-error.ts'

/** What a file holds: a key, or that there is to be none. */
export type OfflineEntry = KeptKey | { readonly state: 'removed' }

export interface KeptKey {
  readonly state: 'active' | 'suspended'
  readonly id: Buffer
  readonly key: Buffer
}

export const REMOVED: OfflineEntry = { state: 'removed' }

const FORMAT = 1

const storedSchema = z.object({
  format: z.literal(FORMAT),
  realm: z.string(),
  key_id: z.string(),
  state: z.enum(['active', 'suspended', 'removed']),
  id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  secret: z.object({ $sealed: z.string() }).optional(),
})

/** What a file is about, and holds. */
export interface OfflineFile {
  readonly realm: Realm
  readonly keyId: string
  readonly entry: OfflineEntry
}

export interface FoundOfflineFile extends OfflineFile {
  /** Id of the server key, where there is a secret. */
  readonly sealedUnder?: string
}

export interface OfflineFileOptions {
  readonly directory: string
  readonly keys: ServerKeys
  readonly random: Random
}

/**
 * Reads a file; `undefined` when there is none. Throws `StoreDamaged`, `NewerFormat`, `ServerKeyMismatch`, `StorageFailed`.
 */
export function readOfflineFile(path: string, keys: ServerKeys): Promise<FoundOfflineFile | undefined> {
  return readChecked(path, (line, from) => decode(line, from, keys))
}

export function isKept(entry: OfflineEntry | 'unusable' | undefined): entry is KeptKey {
  return typeof entry === 'object' && 'key' in entry
}

/** Replaces a file, durably. Throws `StorageFailed`. */
export async function writeOfflineFile(
  path: string,
  { realm, keyId, entry }: OfflineFile,
  { directory, keys, random }: OfflineFileOptions,
): Promise<void> {
  const sealed = isKept(entry) ? sealEntry(realm, keyId, entry, keys, random) : {}
  const line = JSON.stringify({ format: FORMAT, realm, key_id: keyId, state: entry.state, ...sealed })
  const sum = createHash('sha256').update(line).digest('hex')
  try {
    const made = await mkdir(join(directory, realm), { recursive: true, mode: 0o700 })
    if (made !== undefined) await syncDirectory(directory)
    await writeDurably(path, `${line}\n${sum}\n`, { mode: STATE_FILE_MODE })
  } catch (error) {
    throw storageFailed('the key of offline copies', error)
  }
}

function sealEntry(realm: Realm, keyId: string, { id, key, state }: KeptKey, keys: ServerKeys, random: Random) {
  const hex = id.toString('hex')
  return { id: hex, secret: sealValue(key, placeOf(realm, keyId, hex, state), keys, random) }
}

/** Where the file of a KMS key is. */
export function offlinePath(directory: string, realm: Realm, keyId: string): string {
  const name = createHash('sha256').update(keyId).digest('hex').slice(0, 32)
  return join(directory, realm, `${name}.json`)
}

/** The state is bound too, so that nobody ends a suspension with an editor. */
function placeOf(realm: Realm, keyId: string, id: string, state: KeptKey['state']): SealPlace {
  const binding = `${realm}/${keyId}/${id}/${state}`
  return { purpose: 'offline', document: 'offline', pointer: '/secret', binding }
}

function decode(line: string, path: string, keys: ServerKeys): FoundOfflineFile {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw kmsError('StoreDamaged', { path, reason: 'it is not JSON' }, { cause })
  }
  const format = isJsonObject(value) ? value['format'] : undefined
  if (typeof format === 'number' && format > FORMAT) {
    throw kmsError('NewerFormat', { path, found: format, known: FORMAT })
  }
  const parsed = storedSchema.safeParse(value)
  if (!parsed.success) throw kmsError('StoreDamaged', { path, reason: 'it holds no key of offline copies' })
  const { realm, key_id: keyId, state, id: hex, secret } = parsed.data
  // A file that was renamed is about another key than the one it is found by.
  if (!path.endsWith(offlinePath('/', realm, keyId))) {
    throw kmsError('StoreDamaged', { path, reason: 'it belongs to another key' })
  }
  if (state === 'removed') return { realm, keyId, entry: REMOVED }
  if (hex === undefined || secret === undefined) {
    throw kmsError('StoreDamaged', { path, reason: 'it holds no key' })
  }
  const id = Buffer.from(hex, 'hex')
  const opened = openSealed(secret, placeOf(realm, keyId, hex, state), keys)
  if (opened.ok) return { realm, keyId, entry: { state, id, key: opened.plaintext }, sealedUnder: opened.keyId }
  if (opened.problem === 'server-key') {
    throw kmsError('ServerKeyMismatch', { expected: opened.keyId, actual: keys.current.id })
  }
  throw kmsError('StoreDamaged', { path, reason: 'its key does not belong there' })
}
