import type { Clock } from '../../clock.ts'
import { kmsError } from '../../errors/kms-error.ts'
import type { KeyPatch, KeyRecord } from '../../keys/key-backend.ts'
import {
  checkAliasCount,
  checkDescription,
  checkName,
  checkRotationPeriod,
  checkTags,
  refuseNameTag,
} from '../../keys/key-limits.ts'
import { type Authorize, resolveKey } from '../resolve-key.ts'
import { onSnapshot } from '../snapshot.ts'
import { type ChangedKey, changeKey, type KeyRequest, type KeyWrite } from './change-key.ts'
import { type CreatedKey, type CreateKeyInput, createKey, planKey } from './create-key.ts'
import { cancellation, deletion } from './deletion.ts'
import { destroyKey, type KeyDestructionContext } from './destroy-key.ts'
import { createKeyImports, type ImportKeyInput, type ImportParameters, type KeyImportsOptions } from './import-key.ts'
import { type KeyListing, type ListKeysInput, listKeys } from './list-keys.ts'
import { rotation } from './rotation.ts'

/**
 * Manages the keys of the active store. Whoever asks is authorised on the resolved id before anything about the key is
 * told, its existence included. Records are read anew for every change, and caches are emptied of the key by it. A change
 * that finds everything as it should be changes nothing (`changed: false`).
 *
 * Throws `NotRunning`, `UnsupportedCapability`, `BackendUnavailable`, `BackendTimeout`, and for one key `KeyNotFound`,
 * `KeyDestroyed`, `KeyUnavailable`, besides what is named below.
 */
export interface KeyService {
  /** Throws `ValidationError` for bad names and tags, `KeyAlreadyExists`, `KeyIdRetired`. */
  create(input: CreateKeyInput): Promise<CreatedKey>
  describe(input: { readonly key: string; readonly authorize: Authorize }): Promise<KeyRecord>
  /** Throws `ValidationError` for a marker that is not ours. */
  list(input: ListKeysInput): Promise<KeyListing>
  /**
   * A wrapping key to bring material under, good for one import within 24 hours, into the store that serves now; for a
   * key of this name alone when one is given, which the caller is then authorised for. Takes a second or two. Throws
   * `ValidationError`, `UnsupportedOperation`, `StorageFailed`.
   */
  importParameters(input: { readonly name?: string; readonly authorize: Authorize }): Promise<ImportParameters>
  /**
   * Creates a key of imported material. Throws as `create`, and `InvalidImportToken`, `UnsupportedOperation`,
   * `StorageFailed`. A token is used up when a key was made of it, or may have been.
   */
  importKey(input: ImportKeyInput): Promise<CreatedKey>
  /** Adds a version and makes it current. Throws `KeyDisabled`, `KeyPendingDeletion`. */
  rotate(input: KeyRequest): Promise<ChangedKey>
  /** Throws `KeyPendingDeletion`. */
  enable(input: KeyRequest): Promise<ChangedKey>
  /** What it wrapped still unwraps. Throws `KeyPendingDeletion`. */
  disable(input: KeyRequest): Promise<ChangedKey>
  /** At most 8192 characters. Throws `ValidationError`, `KeyPendingDeletion`. */
  updateDescription(input: KeyRequest & { readonly description: string }): Promise<ChangedKey>
  /** Adds tags and replaces those of the same name; 50 at most. Throws `ValidationError`, `KeyPendingDeletion`. */
  tag(input: KeyRequest & { readonly tags: ReadonlyMap<string, string> }): Promise<ChangedKey>
  /** Removes tags; one that is not there is no mistake. Throws `ValidationError`, `KeyPendingDeletion`. */
  untag(input: KeyRequest & { readonly tagKeys: readonly string[] }): Promise<ChangedKey>
  /** Throws `ValidationError`, `KeyAlreadyExists` when the name is taken, `KeyIdRetired`, `KeyPendingDeletion`. */
  addAlias(input: KeyRequest & { readonly alias: string }): Promise<ChangedKey>
  /**
   * Takes an alias away from the key that has it. A default key that was configured by it stays the default. Throws
   * `KeyNotFound` when the key has no such alias.
   */
  removeAlias(input: KeyRequest & { readonly alias: string }): Promise<ChangedKey>
  /** 1–3650 days between rotations, `null` for none. Throws `ValidationError`, `KeyPendingDeletion`. */
  setRotationPeriod(input: KeyRequest & { readonly days: number | null }): Promise<ChangedKey>
  /**
   * Has a key destroyed in 7–30 days, 30 unless given; until then it neither wraps nor unwraps. A key scheduled already
   * keeps its date. Throws `ValidationError`, `KeyAdopted`, `KeyIsDefault`, `KeyInUse`, `KeyUseUnknown`, and
   * `KeyPendingDeletion` when a window is asked for again.
   */
  scheduleDeletion(input: KeyRequest & { readonly windowDays?: number }): Promise<ChangedKey>
  /** Gives a key that is scheduled for deletion the state it had before. */
  cancelDeletion(input: KeyRequest): Promise<ChangedKey>
  /**
   * Destroys a key at once, where the server's policy allows it (`PolicyViolation`). Throws `ValidationError` when
   * `confirmKeyId` is not its id, and as `scheduleDeletion`.
   */
  destroy(input: KeyRequest & { readonly confirmKeyId: string | undefined }): Promise<DestroyedKey>
}

/** What is left of a key. */
export interface DestroyedKey {
  readonly keyId: string
  /** Milliseconds since the epoch. */
  readonly destroyedAt: number
}

export interface KeyServiceOptions extends KeyDestructionContext {
  readonly clock: Clock
  /** Whether `destroy` may be used at all. */
  readonly allowImmediateDeletion: boolean
  readonly imports: Omit<KeyImportsOptions, 'context' | 'clock'>
}

export function createKeyService(context: KeyServiceOptions): KeyService {
  const { source, clock } = context
  const imports = createKeyImports({ ...context.imports, context, clock })

  /** Changes what is recorded of a key; `edit` gives the patch, or nothing where there is nothing to change. */
  function update(
    input: KeyRequest,
    what: string,
    edit: (record: KeyRecord) => KeyPatch | undefined,
    action: 'change' | 'remove-alias' = 'change',
    capability: 'update_key_metadata' | 'rotate' = 'update_key_metadata',
  ): Promise<ChangedKey> {
    return changeKey(context, input, {
      capability,
      action,
      edit: (record) => patchOf(record, edit(record)),
      event: ({ keyId }) => ({ event: 'kms_key_updated', message: `The ${what} of key "${keyId}" changed.` }),
    })
  }

  function setState(input: KeyRequest, state: 'Enabled' | 'Disabled'): Promise<ChangedKey> {
    const [action, event] =
      state === 'Enabled' ? (['enable', 'kms_key_enabled'] as const) : (['disable', 'kms_key_disabled'] as const)
    return changeKey(context, input, {
      capability: 'enable_disable',
      action,
      edit: (record) => patchOf(record, record.state === state ? undefined : { state }),
      event: ({ keyId }) => ({ event, message: `Key "${keyId}" was ${action}d.` }),
    })
  }

  return {
    async create(input) {
      const key = planKey(input)
      const snapshot = source.current()
      return snapshot.active.use(() => createKey(context, snapshot, key, input.caller))
    },

    describe: ({ key, authorize }) =>
      onSnapshot(source, (snapshot) => snapshot.active.use(() => resolveKey(snapshot, key, authorize))),

    list: (input) => onSnapshot(source, ({ active }) => active.use(() => listKeys(active, input))),

    rotate: (input) =>
      changeKey(
        context,
        input,
        rotation(() => true),
      ),
    importParameters: imports.parameters,
    importKey: imports.importKey,

    enable: (input) => setState(input, 'Enabled'),
    disable: (input) => setState(input, 'Disabled'),

    updateDescription: ({ description, ...input }) =>
      update(input, 'description', (record) => {
        checkDescription(description)
        return record.description === description ? undefined : { description }
      }),

    tag: ({ tags, ...input }) =>
      update(input, 'tags', (record) => {
        refuseNameTag(tags.keys(), 'tags')
        const next = new Map([...record.tags, ...tags])
        checkTags(next)
        return [...tags].every(([key, value]) => record.tags.get(key) === value) ? undefined : { tags: next }
      }),

    untag: ({ tagKeys, ...input }) =>
      update(input, 'tags', (record) => {
        refuseNameTag(tagKeys, 'tag_keys')
        const next = new Map(record.tags)
        for (const key of tagKeys) next.delete(key)
        return next.size === record.tags.size ? undefined : { tags: next }
      }),

    addAlias: ({ alias, ...input }) =>
      update(input, 'aliases', ({ aliases }) => {
        checkName(alias, 'alias')
        if (aliases.includes(alias)) return undefined
        const next = [...aliases, alias]
        checkAliasCount(next)
        return { aliases: next }
      }),

    removeAlias: ({ alias, ...input }) =>
      update(
        input,
        'aliases',
        ({ aliases }) => {
          if (!aliases.includes(alias)) throw kmsError('KeyNotFound', { key: alias })
          return { aliases: aliases.filter((each) => each !== alias) }
        },
        'remove-alias',
      ),

    setRotationPeriod: ({ days, ...input }) =>
      update(
        input,
        'rotation period',
        ({ rotationPeriodDays = null }) => {
          checkRotationPeriod(days)
          return rotationPeriodDays === days ? undefined : { rotationPeriodDays: days }
        },
        'change',
        'rotate',
      ),

    scheduleDeletion: ({ windowDays, ...input }) => changeKey(context, input, deletion(windowDays, clock, context)),
    cancelDeletion: (input) => changeKey(context, input, cancellation),

    async destroy({ confirmKeyId, ...input }) {
      const { record } = await destroyKey(context, input, ({ keyId }) => {
        if (!context.allowImmediateDeletion) {
          const hint = 'KMS_ALLOW_IMMEDIATE_DELETION is not on; leave it out, and the deletion is scheduled.'
          throw kmsError('PolicyViolation', { path: 'force_immediate', hint })
        }
        if (confirmKeyId === keyId) return true
        const reason = `must be the id of the key, "${keyId}", for it to be destroyed at once`
        throw kmsError('ValidationError', { path: 'confirm_key_id', reason })
      })
      return { keyId: record.keyId, destroyedAt: clock.now() }
    },
  }
}

function patchOf({ keyId, etag }: KeyRecord, patch: KeyPatch | undefined): KeyWrite | undefined {
  return patch === undefined ? undefined : (backend) => backend.update(keyId, patch, etag)
}
