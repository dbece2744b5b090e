import { isKmsError, kmsError } from '../../errors/kms-error.ts'
import type { KeyRecord } from '../../keys/key-backend.ts'
import type { KeyUse } from '../../keys/key-use.ts'
import { alsoServing, defaultKeyOf, type Snapshot, type SnapshotSource } from '../snapshot.ts'

/**
 * Refuses to let a key go that is still wanted. Throws `KeyAdopted`, `KeyIsDefault`, `KeyInUse`, and `KeyUseUnknown`
 * when nobody can say whether something needs it.
 */
export async function requireDispensable(
  { keyId: key, adopted, aliases }: KeyRecord,
  source: SnapshotSource,
  snapshot: Snapshot,
  keyUse: KeyUse | undefined,
): Promise<void> {
  const { realm } = snapshot.active
  if (adopted === true) throw kmsError('KeyAdopted', { key })
  for (const each of alsoServing(source, snapshot)) {
    const { name, kind } = defaultKeyOf(each) ?? {}
    if (each.active.realm !== realm || name === undefined) continue
    if (name === key || (kind !== 'key' && aliases.includes(name))) throw kmsError('KeyIsDefault', { key })
  }
  if (keyUse === undefined) return
  let count: number
  try {
    count = await keyUse.count(realm, key)
  } catch (cause) {
    const reason = isKmsError(cause) ? cause.message : 'what is stored could not be looked through'
    throw kmsError('KeyUseUnknown', { key, reason }, { cause })
  }
  if (count > 0) throw kmsError('KeyInUse', { key, count })
}
