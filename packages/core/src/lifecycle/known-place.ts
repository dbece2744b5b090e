import type { ConfigSchema } from '../config/config-schema.ts'
import type { ConfigDocument } from '../config/driver.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { StateDocument, StoreEntry } from '../state/state-document.ts'

/** The driver's name of the place a valid configuration points at. */
export function placeOf(config: ConfigDocument, schema: ConfigSchema): string {
  return schema.driver(config.backend_type).identity(config) ?? config.backend_type
}

/** The store this server knows at a place of a driver. */
export function knownStoreAt(
  place: string,
  driver: string,
  document: StateDocument | undefined,
): readonly [Realm, StoreEntry] | undefined {
  for (const known of document?.stores ?? []) {
    if (known[1].driver === driver && known[1].identity === place) return known
  }
  return undefined
}
