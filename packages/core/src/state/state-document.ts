import { Buffer } from 'node:buffer'
import { z } from 'zod'
import type { ConfigChange } from '../config/compare.ts'
import type { BackendDriver, ConfigDocument } from '../config/driver.ts'
import { isJsonObject } from '../config/json.ts'
import { Secret } from '../config/secret.ts'
import type { Realm } from '../envelope/envelope.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import { mapLeaves } from '../seal/map-leaves.ts'
import { isSealedValue, openSealed, type SealPlace, sealValue } from '../seal/sealed-value.ts'
import type { ServerKeys } from '../seal/server-key.ts'

/** A store this server has used: what is needed to open it again. Append-only (formats §5). */
export interface StoreEntry {
  readonly driver: string
  /** The driver's name of the place. */
  readonly identity: string
  readonly config: ConfigDocument
  /**
   * Set while a change of the root key is under way: `config` as it is with the new one. Which of the two the store has shows
   * when it is opened.
   */
  readonly changedRoot?: ConfigDocument
  /** RFC 3339. */
  readonly firstActive: string
  readonly lastActive: string
}

/** Who made a revision, and how it differs from the one before. */
export interface StateChange {
  readonly time: string
  readonly principal: string
  readonly action: string
  readonly diff: readonly ConfigChange[]
}

/** A change that is taken back unless it is confirmed. */
export interface Unconfirmed {
  /** What is returned to. */
  readonly config: ConfigDocument
  /** RFC 3339: until when it can be confirmed. */
  readonly deadline: string
}

/** Everything the manager must remember across restarts (formats §5). */
export interface StateDocument {
  /** ≥ 1; every change writes a higher one. */
  readonly revision: number
  /** `"<revision>-<16 hex digits>"`, fresh with each save. */
  readonly etag: string
  readonly desired: 'running' | 'stopped'
  readonly config: ConfigDocument
  /** `default_key_id` as it was given, and the key it named when it was resolved. */
  readonly defaultKey?: { readonly name: string; readonly keyId: string }
  readonly active?: Realm
  readonly stores: ReadonlyMap<Realm, StoreEntry>
  /** Set while a change waits to be confirmed. */
  readonly unconfirmed?: Unconfirmed
  readonly change: StateChange
}

/** A revision that changed the configuration, as a list shows it. */
export interface RevisionEntry {
  readonly revision: number
  readonly change: StateChange
}

/** Where documents are kept. */
export interface ConfigStore {
  /** The current document, or `undefined` when nothing was ever saved. */
  load(): Promise<StateDocument | undefined>
  /**
   * Makes `document` (revision `expectedRevision` + 1) the current one, durably; `expectedRevision` is 0 for the first.
   * Throws `PreconditionFailed` when the stored revision is another one, `StorageFailed` when it could not be written;
   * the old document is intact then.
   */
  save(document: StateDocument, expectedRevision: number): Promise<void>
  /**
   * The revisions kept, oldest first: those that changed the configuration, at most 50. One that cannot be read is left
   * out; one whose secrets cannot be opened any more is listed all the same.
   */
  history(): Promise<readonly RevisionEntry[]>
  /**
   * A revision of the history, whole; `undefined` when it is not kept. Throws `StoreDamaged`, `NewerFormat`, and
   * `ServerKeyMismatch` when its secrets are sealed under a server key that is not at hand.
   */
  revision(revision: number): Promise<StateDocument | undefined>
}

/** A document as it is stored, and what is needed to read and write it. */
export interface StateCodecOptions {
  readonly drivers: readonly BackendDriver[]
  readonly keys: ServerKeys
  readonly random: Random
}

const FORMAT = 1

const storedSchema = z.object({
  format: z.literal(FORMAT),
  revision: z.int().min(1),
  etag: z.string(),
  desired: z.enum(['running', 'stopped']),
  config: z.record(z.string(), z.unknown()),
  default_key: z.object({ name: z.string(), key_id: z.string() }).nullable(),
  active: z.string().nullable(),
  stores: z.record(
    z.string().regex(/^[0-9a-f]{32}$/),
    z.object({
      driver: z.string(),
      identity: z.string(),
      config: z.record(z.string(), z.unknown()),
      // Absent but for the time of a change.
      changed_root: z.record(z.string(), z.unknown()).optional(),
      first_active: z.string(),
      last_active: z.string(),
    }),
  ),
  // Absent in documents of before there were such changes.
  unconfirmed: z.object({ deadline: z.iso.datetime(), config: z.record(z.string(), z.unknown()) }).optional(),
  change: z.object({
    time: z.string(),
    principal: z.string(),
    action: z.string(),
    diff: z.array(z.object({ path: z.string(), from: z.unknown().optional(), to: z.unknown().optional() })),
  }),
})

/** The document as one line of JSON, secrets sealed. */
export function encodeStateDocument(document: StateDocument, options: StateCodecOptions): string {
  const { revision, etag, desired, config, defaultKey, active, stores, unconfirmed, change } = document
  const stored: z.input<typeof storedSchema> = {
    format: FORMAT,
    revision,
    etag,
    desired,
    config: sealConfig(config, '/config', options),
    default_key: defaultKey === undefined ? null : { name: defaultKey.name, key_id: defaultKey.keyId },
    active: active ?? null,
    stores: Object.fromEntries(
      [...stores].map(([realm, entry]) => [
        realm,
        {
          driver: entry.driver,
          identity: entry.identity,
          config: sealConfig(entry.config, `/stores/${realm}/config`, options),
          ...(entry.changedRoot === undefined
            ? {}
            : { changed_root: sealConfig(entry.changedRoot, `/stores/${realm}/changed_root`, options) }),
          first_active: entry.firstActive,
          last_active: entry.lastActive,
        },
      ]),
    ),
    ...(unconfirmed === undefined
      ? {}
      : {
          unconfirmed: {
            deadline: unconfirmed.deadline,
            config: sealConfig(unconfirmed.config, '/unconfirmed/config', options),
          },
        }),
    change: { ...change, diff: [...change.diff] },
  }
  return JSON.stringify(stored)
}

/**
 * Reads what {@link encodeStateDocument} wrote; `path` is named in errors. Throws `NewerFormat`, `StoreDamaged`,
 * or `ServerKeyMismatch` when a secret is sealed under a server key that is not at hand.
 */
export function decodeStateDocument(line: string, path: string, options: StateCodecOptions): StateDocument {
  const { revision, etag, desired, config, default_key, active, stores, unconfirmed, change } = parse(line, path)
  const open = (stored: Readonly<Record<string, unknown>>, pointer: string): ConfigDocument =>
    openConfig(stored, pointer, path, options)
  return {
    revision,
    etag,
    desired,
    config: open(config, '/config'),
    ...(default_key === null ? {} : { defaultKey: { name: default_key.name, keyId: default_key.key_id } }),
    ...(active === null ? {} : { active }),
    stores: new Map(
      Object.entries(stores).map(([realm, entry]) => [
        realm,
        {
          driver: entry.driver,
          identity: entry.identity,
          config: open(entry.config, `/stores/${realm}/config`),
          ...(entry.changed_root === undefined
            ? {}
            : { changedRoot: open(entry.changed_root, `/stores/${realm}/changed_root`) }),
          firstActive: entry.first_active,
          lastActive: entry.last_active,
        },
      ]),
    ),
    ...(unconfirmed === undefined
      ? {}
      : {
          unconfirmed: {
            deadline: unconfirmed.deadline,
            config: open(unconfirmed.config, '/unconfirmed/config'),
          },
        }),
    change,
  }
}

/** What a list shows of a document; opens no secret. Throws `NewerFormat`, `StoreDamaged`. */
export function decodeRevisionEntry(line: string, path: string): RevisionEntry {
  const { revision, change } = parse(line, path)
  return { revision, change }
}

function parse(line: string, path: string): z.infer<typeof storedSchema> {
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
  if (parsed.success) return parsed.data
  throw kmsError('StoreDamaged', { path, reason: 'it is not a state document' }, { cause: parsed.error })
}

function placeOf(
  config: Readonly<Record<string, unknown>>,
  pointer: string,
  drivers: readonly BackendDriver[],
): SealPlace {
  const driver = drivers.find(({ type }) => type === config['backend_type'])
  return { purpose: 'config', document: 'state', pointer, binding: driver?.secretBinding(config) ?? '' }
}

function sealConfig(config: ConfigDocument, pointer: string, options: StateCodecOptions): Record<string, unknown> {
  const place = placeOf(config, pointer, options.drivers)
  return mapLeaves(config, pointer, (value, at) =>
    value instanceof Secret
      ? sealValue(Buffer.from(value.reveal()), { ...place, pointer: at }, options.keys, options.random)
      : value,
  ) as Record<string, unknown>
}

function openConfig(
  stored: Readonly<Record<string, unknown>>,
  pointer: string,
  path: string,
  options: StateCodecOptions,
): ConfigDocument {
  const place = placeOf(stored, pointer, options.drivers)
  return mapLeaves(stored, pointer, (value, at) => {
    if (!isSealedValue(value)) return value
    const opened = openSealed(value, { ...place, pointer: at }, options.keys)
    if (opened.ok) return new Secret(opened.plaintext.toString('utf8'))
    if (opened.problem === 'server-key') {
      throw kmsError('ServerKeyMismatch', { expected: opened.keyId, actual: options.keys.current.id })
    }
    throw kmsError('StoreDamaged', { path, reason: `the secret at ${at} does not belong to this configuration` })
  }) as ConfigDocument
}
