import { randomUUID } from 'node:crypto'
import { isKmsError } from '../../errors/kms-error.ts'
import type { KeyRecord, NewKey } from '../../keys/key-backend.ts'
import { checkDescription, checkName, checkTags } from '../../keys/key-limits.ts'
import { isKeyName } from '../../keys/key-name.ts'
import type { Caller } from '../manager-types.ts'
import type { Authorize } from '../resolve-key.ts'
import type { Snapshot } from '../snapshot.ts'
import type { KeyChangeContext } from './change-key.ts'
import { forgetKey } from './forget-key.ts'

export interface CreateKeyInput {
  /** The id; absent: a UUID v4. */
  readonly name?: string
  /** At most 8192 characters. Without a name, a description that is itself a free key name becomes an alias too. */
  readonly description?: string
  readonly tags?: ReadonlyMap<string, string>
  readonly authorize: Authorize
  readonly caller: Caller
}

export interface CreatedKey {
  readonly record: KeyRecord
  /** Set when the description could have been an alias and its name was taken. */
  readonly takenAlias?: string
}

/** Decides what is to be created, for a caller who may. Throws `ValidationError`. */
export function planKey({ name, description = '', tags = new Map(), authorize }: CreateKeyInput): NewKey {
  const keyId = name ?? randomUUID()
  checkName(keyId, 'key_name')
  authorize(keyId)
  checkDescription(description)
  checkTags(tags)
  const aliases = name === undefined && isKeyName(description) ? [description] : []
  return { keyId, aliases, description, tags }
}

/** Creates what was planned in the active store of a snapshot. Throws `KeyAlreadyExists`, `KeyIdRetired`. */
export async function createKey(
  { source, onEvent, onWritten }: KeyChangeContext,
  snapshot: Snapshot,
  key: NewKey,
  caller: Caller,
): Promise<CreatedKey> {
  const { active } = snapshot
  const [alias] = key.aliases
  let record: KeyRecord
  let takenAlias: string | undefined
  try {
    record = await active.call((backend) => backend.create(key))
  } catch (error) {
    if (alias === undefined || !isKmsError(error, 'KeyAlreadyExists', 'KeyIdRetired')) throw error
    takenAlias = alias
    record = await active.call((backend) => backend.create({ ...key, aliases: [] }))
  } finally {
    forgetKey(source, snapshot, key.keyId, key.aliases)
  }
  await active.remember(record)
  onWritten(record, active.realm)
  const { keyId } = record
  const [event, message] =
    key.material === undefined
      ? (['kms_key_created', `Key "${keyId}" was created.`] as const)
      : (['kms_key_imported', `Key "${keyId}" was made of imported material.`] as const)
  onEvent({ event, message, caller, keyId, realm: active.realm })
  return { record: active.judge(record), ...(takenAlias === undefined ? {} : { takenAlias }) }
}
