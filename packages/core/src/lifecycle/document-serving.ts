import { type Clock, timestamp } from '../clock.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { StateDocument, StoreEntry } from '../state/state-document.ts'
import { placeOf } from './known-place.ts'
import type { Candidate } from './store-opener.ts'
import type { NextDocument } from './stored-document.ts'

/** What changes in the state document when `candidate` serves; the store it replaces stays known. */
export function documentServing(
  { store, config, proof }: Candidate,
  document: StateDocument | undefined,
  schema: ConfigSchema,
  clock: Clock,
): NextDocument {
  const now = timestamp(clock)
  const stores = new Map<Realm, StoreEntry>(document?.stores)
  const previous = document?.active === undefined ? undefined : stores.get(document.active)
  if (document?.active !== undefined && previous !== undefined) {
    stores.set(document.active, { ...previous, lastActive: now })
  }
  stores.set(store.realm, {
    driver: config.backend_type,
    identity: placeOf(config, schema),
    config,
    firstActive: stores.get(store.realm)?.firstActive ?? now,
    lastActive: now,
  })
  const { default_key_id: name } = config
  const { defaultKeyId: keyId } = proof
  return {
    desired: 'running',
    config,
    active: store.realm,
    stores,
    ...(name === undefined || keyId === undefined ? {} : { defaultKey: { name, keyId } }),
  }
}
