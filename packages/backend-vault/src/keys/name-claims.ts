import { isKeyName, kmsError } from '@kms/core'
import type { Operation } from '../transport/operation.ts'
import { ABANDONED_MS, type KeyReader, type Slot } from './key-reader.ts'
import type { Entry } from './record-file.ts'
import type { Transit } from './transit.ts'

/** Names that were taken by a call, and can be given back. */
export interface Claim {
  readonly name: string
  readonly version: number
}

/** Takes names of the store's one namespace, each by compare-and-set: of several who want one, one gets it. */
export interface NameClaims {
  /**
   * Takes a name for an entry. Throws `KeyAlreadyExists` when a key or an alias has it, `KeyIdRetired` when a destroyed key
   * had it.
   */
  take(operation: Operation, name: string, entry: Entry): Promise<Claim>
  /**
   * Takes several names as aliases; gives back those it has when one is taken, and throws as `take`. `isNew` says that the
   * key is being made by this call, so that what is left of an earlier attempt to make it is nobody else's.
   */
  takeAliases(
    operation: Operation,
    keyId: string,
    aliases: readonly string[],
    options?: { readonly isNew: boolean },
  ): Promise<readonly Claim[]>
  /** Gives names back that this call took; best effort: what is not given back leads nowhere and is free later. */
  giveBack(operation: Operation, claims: readonly Claim[]): Promise<void>
  /** Frees names that were aliases of a key; best effort. */
  freeAliases(operation: Operation, keyId: string, aliases: readonly string[]): Promise<void>
}

export function createNameClaims(reader: KeyReader, transit: Transit): NameClaims {
  /** Whether what stands at a name keeps it; there is no Transit key of that name. */
  async function isHeld(operation: Operation, name: string, slot: Slot): Promise<boolean> {
    switch (slot.kind) {
      case 'absent':
      case 'free':
        return false
      case 'tombstone':
        throw kmsError('KeyIdRetired', { key: name })
      case 'unreadable':
        return true
      case 'key':
        // Its maker gave up before there was anything to keep.
        return slot.key.state !== 'Creating' || slot.ageMs < ABANDONED_MS
      case 'alias': {
        // One that was written a moment ago may be on the way into its key's record.
        if (slot.ageMs < ABANDONED_MS) return true
        const owner = await reader.slot(operation, slot.keyId)
        return owner.kind === 'unreadable' || (owner.kind === 'key' && owner.key.aliases.includes(name))
      }
      default:
        return slot satisfies never
    }
  }

  async function giveBack(operation: Operation, claims: readonly Claim[]): Promise<void> {
    for (const { name, version } of claims) {
      await reader.put(operation, name, { kind: 'free' }, version).catch(() => undefined)
    }
  }

  async function take(operation: Operation, name: string, entry: Entry, makerOf?: string): Promise<Claim> {
    const [slot, key] = await Promise.all([reader.slot(operation, name), transit.read(operation, name)])
    const taken = kmsError('KeyAlreadyExists', { key: name })
    if (slot.kind !== 'tombstone' && key !== undefined) throw taken
    const isOurs = slot.kind === 'alias' && slot.keyId === makerOf
    if (!isOurs && (await isHeld(operation, name, slot))) throw taken
    const version = await reader.put(operation, name, entry, slot.version)
    if (version === undefined) throw taken
    return { name, version }
  }

  return {
    take: (operation, name, entry) => take(operation, name, entry),
    giveBack,

    async takeAliases(operation, keyId, aliases, { isNew } = { isNew: false }) {
      const claims: Claim[] = []
      const names = new Set([keyId])
      try {
        for (const alias of aliases) {
          if (names.has(alias)) throw kmsError('KeyAlreadyExists', { key: alias })
          if (!isKeyName(alias)) {
            throw kmsError('ValidationError', { path: 'aliases', reason: 'names have 1 to 128 of A-Z a-z 0-9 . _ -' })
          }
          names.add(alias)
          claims.push(await take(operation, alias, { kind: 'alias', keyId }, isNew ? keyId : undefined))
        }
      } catch (error) {
        await giveBack(operation, claims)
        throw error
      }
      return claims
    },

    async freeAliases(operation, keyId, aliases) {
      for (const alias of aliases) {
        const slot = await reader.slot(operation, alias).catch(() => undefined)
        if (slot?.kind === 'alias' && slot.keyId === keyId) {
          await giveBack(operation, [{ name: alias, version: slot.version }])
        }
      }
    },
  }
}
