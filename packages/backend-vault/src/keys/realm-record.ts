import { type Clock, kmsError, type Random, type Realm } from '@kms/core'
import type { Operation } from '../transport/operation.ts'
import type { KvRecords } from './kv-records.ts'
import type { Transit } from './transit.ts'

/** The name of the store's own record: no key can have it. */
export const REALM_RECORD = '.realm'

const FORMAT = 1
const LOOKS = 20
const LOOK_AGAIN_MS = 100

export interface RealmOptions {
  readonly records: KvRecords
  readonly transit: Transit
  /** Where the store is, for messages. */
  readonly place: string
  readonly expectedRealm: Realm | undefined
  readonly mayInitialise: boolean
  readonly random: Random
  readonly clock: Clock
}

export interface FoundRealm {
  readonly realm: Realm
  /** Whether this call made the store. */
  readonly initialised: boolean
}

/** The realm of the store, or `undefined` when there is no record of one. Throws `StoreDamaged`, `NewerFormat`. */
export async function readRealm(operation: Operation, records: KvRecords, place: string): Promise<Realm | undefined> {
  const { version, data } = await records.read(operation, REALM_RECORD)
  if (version === 0) return undefined
  const path = `the record ${REALM_RECORD} of ${place}`
  if (data === undefined)
    throw kmsError('StoreDamaged', { path, reason: 'it was deleted; `kv undelete` brings it back' })
  const { format, realm } = data
  // An operator may have put it there with the CLI, which writes numbers as text.
  const found = Number(format)
  if (Number.isSafeInteger(found) && found > FORMAT) throw kmsError('NewerFormat', { path, found, known: FORMAT })
  if (found !== FORMAT || typeof realm !== 'string' || !/^[0-9a-f]{32}$/.test(realm)) {
    throw kmsError('StoreDamaged', { path, reason: 'it does not say which key store this is' })
  }
  return realm
}

/**
 * Finds the realm of the store, or makes one where formats §7 allows: none is expected here, the call may initialise, and
 * nothing of ours or of anybody else stands below the prefix, as KV itself says. Of two servers that do so at once one
 * makes it and the other reads it.
 */
export async function findRealm(operation: Operation, options: RealmOptions): Promise<FoundRealm> {
  const { records, transit, place, expectedRealm, mayInitialise } = options
  const found = await readRealm(operation, records, place)
  if (found !== undefined) {
    if (expectedRealm !== undefined && found !== expectedRealm) {
      throw kmsError('RealmConflict', { realm: expectedRealm, place, reason: 'another key store is there' })
    }
    return { realm: found, initialised: false }
  }
  if (expectedRealm !== undefined) throw kmsError('RealmMissing', { realm: expectedRealm, place })
  const others = await records.list(operation)
  // Somebody made it since it was looked for.
  if (!others.includes(REALM_RECORD)) {
    if (others.length > 0) {
      const reason = `it holds ${others.length === 1 ? 'a record' : `${others.length} records`} and no ${REALM_RECORD}`
      throw kmsError('StoreNotOurs', { path: place, reason })
    }
    // Of no use without Transit: nothing is made before it answers. Keys may be there already, they are adopted.
    await transit.list(operation)
    if (!mayInitialise) throw kmsError('StoreNotInitialised', { place })
    const realm = await makeRealm(operation, options)
    if (realm !== undefined) return { realm, initialised: true }
  }
  // A standby may not have seen yet what was written to the active node.
  for (let look = 0; look < LOOKS; look++) {
    const theirs = await readRealm(operation, records, place)
    if (theirs !== undefined) return { realm: theirs, initialised: false }
    await operation.sleep(LOOK_AGAIN_MS)
  }
  throw kmsError('StoreUnwritable', { path: place, reason: `${REALM_RECORD} can be neither read nor written` })
}

/** Writes the record of a new store; `undefined` when another server was quicker. */
async function makeRealm(operation: Operation, { records, random, clock }: RealmOptions): Promise<Realm | undefined> {
  operation.throwIfOver()
  const realm = random(16).toString('hex')
  const record = (write: string) => ({ format: FORMAT, kind: 'realm', realm, created_at: clock.now(), write })
  return (await records.write(operation, REALM_RECORD, record, 0)) === undefined ? undefined : realm
}
