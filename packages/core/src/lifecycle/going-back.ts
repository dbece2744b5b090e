import type { ConfigSchema } from '../config/config-schema.ts'
import type { ConfigDocument } from '../config/driver.ts'
import { rootKeyOf, withRootKey } from '../config/root-key.ts'
import type { StateDocument } from '../state/state-document.ts'
import { knownStoreAt, placeOf } from './known-place.ts'

/**
 * An older configuration as it can be served now. What seals a store is a property of the store, whatever an old document
 * says: a root key changed since then stays the one that opens it. Throws `ValidationError` when this release does not
 * accept the document any more.
 */
export function broughtUpToDate(old: ConfigDocument, document: StateDocument, schema: ConfigSchema): ConfigDocument {
  const driver = schema.driver(old.backend_type)
  const [, known] = knownStoreAt(placeOf(old, schema), old.backend_type, document) ?? []
  return schema.parse(known === undefined ? old : withRootKey(old, driver, rootKeyOf(known.config, driver)))
}
