import { inspect } from 'node:util'
import type { Principal } from './principal.ts'

/** What is known of an access key. */
export interface StoredCredential {
  readonly principal: Principal
  /** Not enumerable: serialising, spreading or inspecting the object leaves it out. */
  readonly secretAccessKey: string
}

export function createStoredCredential(principal: Principal, secretAccessKey: string): StoredCredential {
  const shown = { principal, secretAccessKey: '***' }
  const hidden = { principal } as StoredCredential
  Object.defineProperty(hidden, 'secretAccessKey', { get: () => secretAccessKey })
  // With showHidden and getters, inspect would call the accessor.
  Object.defineProperty(hidden, inspect.custom, { value: () => shown })
  return Object.freeze(hidden)
}
