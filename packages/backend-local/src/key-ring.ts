import { Buffer } from 'node:buffer'
import type { KeyObject } from 'node:crypto'
import type { Random, Realm } from '@kms/core'
import { label, openXChaCha, sealXChaCha } from '@kms/core/internal'
import { deriveMacKey } from './authenticated-file.ts'

/** A key-encryption key: seals versions, and authenticates the files that name it. */
export interface Kek {
  /** 32 hex digits. */
  readonly id: string
  readonly key: Buffer
  readonly macKey: KeyObject
}

/** The KEKs of an opened store; which they are changes while a store is re-sealed. */
export interface KeyRing {
  readonly realm: Realm
  /** The one that new files are written under. */
  readonly current: Kek
  /** All of them: more than the current one while a re-seal is not finished. */
  readonly keks: readonly Kek[]
  find(id: unknown): Kek | undefined
  /** Holds these from now on, and takes them over; those that are not among them are zeroed. */
  replace(keks: readonly Kek[], current: string): void
  /** Zeroes every KEK. */
  close(): void
}

const KEK_LABEL = label('kms/local-kek/v1')

export function createKek(id: string, key: Buffer, realm: Realm): Kek {
  return { id, key, macKey: deriveMacKey(key, realm, 'kms/local-mac/v1') }
}

/** `current` is the id of one of `keks`. */
export function createKeyRing(realm: Realm, current: string, keks: readonly Kek[]): KeyRing {
  let byId = new Map<unknown, Kek>(keks.map((kek) => [kek.id, kek]))
  let currentKek = byId.get(current) as Kek
  return {
    realm,
    get current() {
      return currentKek
    },
    get keks() {
      return [...byId.values()]
    },
    find: (id) => byId.get(id),
    replace(next, nextCurrent) {
      const dropped = byId
      byId = new Map(next.map((kek) => [kek.id, kek]))
      currentKek = byId.get(nextCurrent) as Kek
      for (const kek of dropped.values()) if (byId.get(kek.id) !== kek) kek.key.fill(0)
    },
    close() {
      for (const kek of byId.values()) kek.key.fill(0)
      byId.clear()
    },
  }
}

/** Additional data of the seal of a KEK (formats §6): label ‖ realm ‖ KEK id. */
function kekAad(realm: Realm, id: string): Buffer {
  return Buffer.concat([KEK_LABEL, Buffer.from(realm, 'hex'), Buffer.from(id, 'hex')])
}

/** Nonce 24 ‖ ciphertext of a KEK under the root key. */
export function sealKek(rootKey: Uint8Array, realm: Realm, kek: Kek, random: Random): Buffer {
  return sealXChaCha(rootKey, kek.key, kekAad(realm, kek.id), random)
}

/** Opens what {@link sealKek} made, or returns `undefined`. */
export function openKek(rootKey: Uint8Array, realm: Realm, id: string, sealed: Uint8Array): Kek | undefined {
  const key = openXChaCha(rootKey, sealed, kekAad(realm, id))
  return key?.length === 32 ? createKek(id, key, realm) : undefined
}
