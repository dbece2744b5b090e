import { isKeyName, isKmsError, kmsError, type Realm } from '@kms/core'
import type { Operation } from '../transport/operation.ts'
import { adoptedKey, type KeyView, viewOf } from './key-view.ts'
import type { KvRecords } from './kv-records.ts'
import { type Entry, encodeEntry, readEntry, type StoredKey } from './record-file.ts'
import type { Transit } from './transit.ts'
import type { TransitKey } from './transit-key.ts'

/** What stands at a name in KV. */
export type Slot =
  | { readonly kind: 'absent'; readonly version: 0 }
  | ((Entry | { readonly kind: 'unreadable'; readonly reason: string }) & {
      readonly version: number
      /** Since it was written, by Vault's clock. */
      readonly ageMs: number
    })

/** Reads keys, and puts right what interrupted calls left behind. */
export interface KeyReader {
  slot(operation: Operation, name: string): Promise<Slot>
  /** Writes an entry if the slot is still as it was; the new version, or `undefined`. */
  put(operation: Operation, name: string, entry: Entry, cas: number): Promise<number | undefined>
  /**
   * The key whose id is `name`, else the one that has it as an alias. Throws `KeyNotFound`, `KeyDestroyed`,
   * `KeyUnavailable`.
   */
  find(operation: Operation, name: string): Promise<KeyView>
  /** {@link find} for an id: an alias is `KeyNotFound`. */
  get(operation: Operation, keyId: string): Promise<KeyView>
  /** {@link get} for a name of a listing; `undefined` for what is no key. */
  listed(
    operation: Operation,
    name: string,
    where: { readonly inKv: boolean; readonly inTransit: boolean },
  ): Promise<KeyView | undefined>
}

export interface KeyReaderOptions {
  readonly realm: Realm
  readonly records: KvRecords
  readonly transit: Transit
  readonly onWarning: (message: string) => void
}

/**
 * How old what a call left half done must be before others touch it: longer than any call may take (300 s), so that whoever
 * began it has given up.
 */
export const ABANDONED_MS = 600_000

export function createKeyReader({ realm, records, transit, onWarning }: KeyReaderOptions): KeyReader {
  const warned = new Set<string>()

  /** Each thing once: a listing is read again and again. */
  function warnOnce(message: string): void {
    if (warned.has(message) || warned.size > 1000) return
    warned.add(message)
    onWarning(message)
  }

  async function slot(operation: Operation, name: string): Promise<Slot> {
    const { version, data, ageMs } = await records.read(operation, name)
    if (version === 0) return { kind: 'absent', version: 0 }
    if (data === undefined) {
      return {
        kind: 'unreadable',
        version,
        ageMs,
        reason: 'its record was deleted in KV; `kv undelete` brings it back',
      }
    }
    const entry = readEntry(name, data)
    if (typeof entry === 'string') return { kind: 'unreadable', version, ageMs, reason: entry }
    return { ...entry, version, ageMs }
  }

  const put: KeyReader['put'] = (operation, name, entry, cas) =>
    records.write(operation, name, (write) => encodeEntry(name, entry, write), cas)

  function view(stored: StoredKey, version: number, key: TransitKey): KeyView {
    const { name, exportable, plaintextBackup } = key
    if (exportable)
      warnOnce(`Key "${name}" is exportable in Transit: whoever may read transit/export has its material.`)
    if (plaintextBackup)
      warnOnce(`Key "${name}" allows plaintext backups in Transit: whoever may take one has its material.`)
    return viewOf(realm, stored, version, key)
  }

  /** What stands at a name, as a key; an alias's target is returned as it is. */
  async function keyAt(
    operation: Operation,
    name: string,
    found: Slot,
    key: TransitKey | undefined,
  ): Promise<KeyView | { readonly alias: string } | undefined> {
    switch (found.kind) {
      case 'absent':
      case 'free':
        return key === undefined ? undefined : view(adoptedKey(key), found.version, key)
      case 'alias':
        if (key === undefined) return { alias: found.keyId }
        warnOnce(
          `"${name}" is an alias of key "${found.keyId}", and of late a key in Transit: the name means that key now.`,
        )
        return view(adoptedKey(key), found.version, key)
      case 'tombstone':
        if (found.pending) await finishDestruction(operation, name, found)
        throw kmsError('KeyDestroyed', { key: name })
      case 'unreadable':
        throw kmsError('KeyUnavailable', { key: name, reason: found.reason })
      case 'key':
        if (found.key.state === 'Creating') return finishCreation(operation, name, found, key)
        if (key === undefined) {
          throw kmsError('KeyUnavailable', { key: name, reason: 'Transit holds no key of that name; restore it there' })
        }
        return view(found.key, found.version, key)
      default:
        return found satisfies never
    }
  }

  /** A key that is being made is not there yet; one whose maker has given up is completed, or its name given back. */
  async function finishCreation(
    operation: Operation,
    name: string,
    found: Extract<Slot, { kind: 'key' }>,
    key: TransitKey | undefined,
  ): Promise<KeyView | undefined> {
    if (found.ageMs < ABANDONED_MS) return undefined
    const entry: Entry = key === undefined ? { kind: 'free' } : { kind: 'key', key: { ...found.key, state: 'Enabled' } }
    const version = await put(operation, name, entry, found.version)
    if (version === undefined || key === undefined || entry.kind !== 'key') return undefined
    return view(entry.key, version, key)
  }

  /** Best effort: the tombstone holds whether or not the material is gone already. */
  async function finishDestruction(
    operation: Operation,
    name: string,
    found: Extract<Slot, { kind: 'tombstone' }>,
  ): Promise<void> {
    if (found.ageMs < ABANDONED_MS) return
    try {
      await transit.allowDeletion(operation, name, true).catch(ignoreRefusal)
      await transit.remove(operation, name)
      const { lastVersion, destroyedAt } = found
      await put(operation, name, { kind: 'tombstone', lastVersion, destroyedAt, pending: false }, found.version)
    } catch (error) {
      const reason = isKmsError(error) ? error.message : 'an internal error occurred'
      warnOnce(`The material of the destroyed key "${name}" could not be removed: ${reason}`)
    }
  }

  /**
   * Two answers that do not fit may be of two moments: a key's record is written before its Transit key is made, and its
   * tombstone before that is deleted. What does not fit is asked again, in an order in which it must.
   */
  async function settled(
    operation: Operation,
    name: string,
    first: Slot,
    key: TransitKey | undefined,
  ): Promise<readonly [Slot, TransitKey | undefined]> {
    if (key !== undefined) {
      return [first.kind === 'absent' || first.kind === 'free' ? await slot(operation, name) : first, key]
    }
    if (first.kind !== 'key' || first.key.state === 'Creating') return [first, key]
    const again = await transit.read(operation, name)
    return [again === undefined ? await slot(operation, name) : first, again]
  }

  async function both(operation: Operation, name: string): Promise<readonly [Slot, TransitKey | undefined]> {
    const [first, key] = await Promise.all([slot(operation, name), transit.read(operation, name)])
    return settled(operation, name, first, key)
  }

  async function find(operation: Operation, name: string): Promise<KeyView> {
    const missing = kmsError('KeyNotFound', { key: name })
    if (!isKeyName(name)) throw missing
    const found = await keyAt(operation, name, ...(await both(operation, name)))
    if (found === undefined) throw missing
    if (!('alias' in found)) return found
    const target = await keyAt(operation, found.alias, ...(await both(operation, found.alias))).catch(
      (error: unknown) => {
        // An alias of a key that is gone leads nowhere.
        if (isKmsError(error, 'KeyDestroyed')) return undefined
        throw error
      },
    )
    if (target === undefined || 'alias' in target || !target.stored.aliases.includes(name)) throw missing
    return target
  }

  return {
    slot,
    put,
    find,

    async get(operation, keyId) {
      const found = isKeyName(keyId) ? await keyAt(operation, keyId, ...(await both(operation, keyId))) : undefined
      if (found === undefined || 'alias' in found) throw kmsError('KeyNotFound', { key: keyId })
      return found
    },

    async listed(operation, name, { inKv, inTransit }) {
      const [found, key] = await Promise.all([
        inKv ? slot(operation, name) : ({ kind: 'absent', version: 0 } as const),
        inTransit ? transit.read(operation, name) : undefined,
      ])
      try {
        const result = await keyAt(operation, name, ...(await settled(operation, name, found, key)))
        return result === undefined || 'alias' in result ? undefined : result
      } catch (error) {
        if (isKmsError(error, 'KeyDestroyed')) return undefined
        throw error
      }
    },
  }
}

/** A key that is gone already allows nothing. */
function ignoreRefusal(error: unknown): void {
  if (isKmsError(error, 'BackendDenied', 'BackendTimeout')) throw error
}
