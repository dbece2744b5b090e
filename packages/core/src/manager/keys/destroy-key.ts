import { isKmsError, kmsError } from '../../errors/kms-error.ts'
import type { KeyRecord } from '../../keys/key-backend.ts'
import { requireState } from '../../keys/key-states.ts'
import type { KeyUse } from '../../keys/key-use.ts'
import type { OpenStore } from '../../store/open-store.ts'
import { resolveAble } from '../resolve-key.ts'
import type { Snapshot } from '../snapshot.ts'
import { type KeyChangeContext, type KeyRequest, MAX_ATTEMPTS } from './change-key.ts'
import { requireDispensable } from './dispensable.ts'
import { forgetKey } from './forget-key.ts'

export interface KeyDestructionContext extends KeyChangeContext {
  readonly keyUse: KeyUse | undefined
}

/** What became of a key that was to be destroyed. */
export interface KeyDestruction {
  /** The last that was recorded of it. */
  readonly record: KeyRecord
  readonly destroyed: boolean
}

/**
 * Destroys a key and all its material, under the very record `isDue` agreed to: a change that comes in between, such as a
 * cancelled deletion, makes it ask again. Whoever would use the key waits meanwhile. In this order: what needs it is counted,
 * what would open without it is removed, the key is destroyed in its store, and the server remembers that it was destroyed
 * on purpose, which the store's own tombstone tells it when it comes to an end before the last step. Throws as
 * `requireDispensable`, and what `isDue` throws.
 */
export async function destroyKey(
  context: KeyDestructionContext,
  { key, authorize, caller }: KeyRequest,
  isDue: (record: KeyRecord) => boolean,
): Promise<KeyDestruction> {
  const { source, keyUse, onEvent } = context
  const snapshot = source.current()
  const { active } = snapshot
  return active.use(async () => {
    let record = await resolveAble(snapshot, key, authorize, 'physical_delete', (name) => active.describe(name, false))
    const { keyId } = record
    requireState('destroy', record)
    // Nobody waits for what is refused anyway.
    if (isDue(record)) await requireDispensable(record, source, snapshot, keyUse)
    const over = context.ending.begin(active.realm, keyId)
    try {
      for (let attempt = 1; ; attempt++) {
        requireState('destroy', record)
        if (!isDue(record)) return { record, destroyed: false }
        await requireDispensable(record, source, snapshot, keyUse)
        if (await destroyUnder(context, snapshot, record, attempt)) break
        record = await active.describe(keyId, false)
        if (record.keyId !== keyId) throw kmsError('KeyNotFound', { key: keyId })
      }
    } finally {
      over()
    }
    context.onGone(keyId, active.realm)
    await rememberDestroyed(active, record, (message) => onEvent({ event: 'kms_warning', message, keyId }))
    const message = `Key "${keyId}" was destroyed, with all its versions up to ${record.currentVersion}.`
    onEvent({ event: 'kms_key_destroyed', message, caller, keyId, realm: active.realm })
    return { record, destroyed: true }
  })
}

/** Whether the key was destroyed; false when another change came first. */
async function destroyUnder(
  { source, keyUse }: KeyDestructionContext,
  snapshot: Snapshot,
  { keyId, etag, aliases, currentVersion }: KeyRecord,
  attempt: number,
): Promise<boolean> {
  const { active } = snapshot
  await keyUse?.beforeDestroy(active.realm, keyId)
  // What came back from destruction may be older than what was destroyed.
  const lastVersion = Math.max(currentVersion, active.canaries.memory(keyId)?.highestVersion ?? 0)
  try {
    await active.call((backend) => backend.destroy(keyId, etag, lastVersion))
    return true
  } catch (error) {
    if (attempt === MAX_ATTEMPTS || !isKmsError(error, 'PreconditionFailed')) throw error
    return false
  } finally {
    forgetKey(source, snapshot, keyId, aliases)
  }
}

/** Best effort: the store's tombstone says the same, and is asked when this is not known. */
async function rememberDestroyed(
  { canaries }: OpenStore,
  { keyId, currentVersion }: KeyRecord,
  warn: (message: string) => void,
): Promise<void> {
  try {
    await canaries.markDestroyed(keyId, currentVersion)
  } catch (error) {
    const reason = isKmsError(error) ? error.message : 'an internal error occurred'
    warn(`Key "${keyId}" was destroyed, and this could not be remembered here: ${reason}`)
  }
}
