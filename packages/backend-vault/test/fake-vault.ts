import { createHash, randomBytes } from 'node:crypto'
import { type KeyBackend, kmsError } from '@kms/core'
import { createManualClock, type ManualClock } from '@kms/core/testing'
import { createKeyReader } from '../src/keys/key-reader.ts'
import type { KvItem, KvRecords } from '../src/keys/kv-records.ts'
import { createNameClaims } from '../src/keys/name-claims.ts'
import { REALM_RECORD } from '../src/keys/realm-record.ts'
import type { DecryptItem, EncryptItem, ItemOutcome, Transit } from '../src/keys/transit.ts'
import { readTransitKey, type TransitKey } from '../src/keys/transit-key.ts'
import { createOperations } from '../src/transport/operation.ts'
import { createVaultBackend } from '../src/vault-backend.ts'

interface FakeKey {
  /** Seconds since the epoch, of each version. */
  readonly made: number[]
  deletionAllowed: boolean
  /** Overrides what Transit says of the key. */
  readonly says: Record<string, unknown>
}

/** A process that uses the fake, and may die. */
export interface FakeProcess {
  readonly backend: KeyBackend
  /**
   * Dies at its nth request from now (from 0): `before` it has an effect, or `after`, so that only the answer is missing.
   * Whatever it asks later is not answered either.
   */
  dieAt(request: number, when: 'before' | 'after'): void
  /** Requests since it was opened. */
  readonly requests: number
  readonly warnings: readonly string[]
}

/** KV and Transit in memory, with what the verbs rely on, for what no real server can be made to do: time, and death at any step. */
export interface FakeVault {
  readonly clock: ManualClock
  readonly kv: Map<string, { version: number; data?: Record<string, unknown>; writtenAt: number }>
  readonly keys: Map<string, FakeKey>
  open(): FakeProcess
}

const REALM = 'ab'.repeat(16)

export function createFakeVault(): FakeVault {
  const clock = createManualClock(Date.UTC(2026, 0, 1))
  const kv: FakeVault['kv'] = new Map([
    [REALM_RECORD, { version: 1, data: { format: 1, kind: 'realm', realm: REALM }, writtenAt: clock.now() }],
  ])
  const keys = new Map<string, FakeKey>()
  const seconds = (): number => Math.floor(clock.now() / 1000)

  function describeKey(name: string): TransitKey | undefined {
    const key = keys.get(name)
    if (key === undefined) return undefined
    const times = Object.fromEntries(key.made.map((at, i) => [i + 1, at]))
    return readTransitKey({ name, type: 'aes256-gcm96', latest_version: key.made.length, keys: times, ...key.says })
  }

  const seal = (name: string, { version, plaintext, aad }: EncryptItem): Buffer => {
    const body = Buffer.concat([randomBytes(12), Buffer.from(plaintext).map((byte) => byte ^ 0x5a)])
    return Buffer.concat([body, tag(name, version, body, aad)])
  }
  const tag = (name: string, version: number, body: Uint8Array, aad: Uint8Array): Buffer => {
    const made = keys.get(name)?.made[version - 1]
    return createHash('sha256')
      .update(JSON.stringify([name, version, made]))
      .update(body)
      .update(aad)
      .digest()
      .subarray(0, 16)
  }

  function encrypt(name: string, item: EncryptItem): ItemOutcome<{ version: number; wrapped: Buffer }> {
    const latest = keys.get(name)?.made.length ?? 0
    return item.version > latest ? 'refused' : { version: item.version, wrapped: seal(name, item) }
  }

  function decrypt(name: string, { version, wrapped, aad }: DecryptItem): ItemOutcome<Buffer> {
    if (version > (keys.get(name)?.made.length ?? 0) || wrapped.length < 28) return 'refused'
    const body = Buffer.from(wrapped.subarray(0, -16))
    if (!tag(name, version, body, aad).equals(wrapped.subarray(-16))) return 'refused'
    return body.subarray(12).map((byte) => byte ^ 0x5a) as Buffer
  }

  function open(): FakeProcess {
    let requests = 0
    let death: { readonly at: number; readonly when: 'before' | 'after' } | undefined
    const warnings: string[] = []

    /** One request: what it does happens at once, as compare-and-set makes it look. */
    async function request<T>(effect: () => T): Promise<T> {
      const at = requests++
      await Promise.resolve()
      const dead = death !== undefined && at >= death.at
      if (dead && (at > (death?.at ?? 0) || death?.when === 'before')) throw unanswered()
      const answer = effect()
      if (dead) throw unanswered()
      return answer
    }

    const records: KvRecords = {
      read: (_, name) =>
        request((): KvItem => {
          const held = kv.get(name)
          if (held === undefined) return { version: 0, ageMs: 0 }
          const item = { version: held.version, ageMs: clock.now() - held.writtenAt }
          return held.data === undefined ? item : { ...item, data: held.data }
        }),
      list: () => request(() => [...kv.keys()].sort()),
      write: (_, name, encode, cas) =>
        request(() => {
          const version = kv.get(name)?.version ?? 0
          if (version !== cas) return undefined
          const data = JSON.parse(JSON.stringify(encode(randomBytes(8).toString('hex'))))
          kv.set(name, { version: version + 1, data, writtenAt: clock.now() })
          return version + 1
        }),
    }

    const make = (name: string): TransitKey => {
      if (!keys.has(name)) keys.set(name, { made: [seconds()], deletionAllowed: false, says: {} })
      return describeKey(name) as TransitKey
    }
    const transit: Transit = {
      read: (_, name) => request(() => describeKey(name)),
      list: () => request(() => [...keys.keys()].sort()),
      create: (_, name) => request(() => make(name)),
      importKey: (_, name) => request(() => make(name)),
      rotate: (_, name) => request(() => void keys.get(name)?.made.push(seconds())),
      allowDeletion: (_, name, allowed) =>
        request(() => {
          const key = keys.get(name)
          if (key !== undefined) key.deletionAllowed = allowed
        }),
      remove: (_, name) =>
        request(() => {
          const key = keys.get(name)
          if (key !== undefined && !key.deletionAllowed) throw new Error('deletion is not allowed')
          keys.delete(name)
        }),
      encrypt: (_, name, item) => request(() => encrypt(name, item)),
      decrypt: (_, name, item) => request(() => decrypt(name, item)),
      encryptMany: (_, name, items) => request(() => items.map((item) => encrypt(name, item))),
      decryptMany: (_, name, items) => request(() => items.map((item) => decrypt(name, item))),
    }

    const place = 'fake://vault'
    const onWarning = (message: string): void => void warnings.push(message)
    const reader = createKeyReader({ realm: REALM, records, transit, onWarning })
    const backend = createVaultBackend({
      realm: REALM,
      client: { place, admit() {}, request: () => Promise.reject(new Error('nothing here goes over the network')) },
      operations: createOperations({ clock, timeoutSeconds: 30, place }),
      records,
      transit,
      reader,
      claims: createNameClaims(reader, transit),
      clock,
      tokenExpiresAt: () => undefined,
      breaker: { open: false },
      release: async () => {},
    })
    return {
      backend,
      dieAt(nth, when) {
        death = { at: requests + nth, when }
      },
      get requests() {
        return requests
      },
      warnings,
    }
  }

  return { clock, kv, keys, open }
}

function unanswered(): Error {
  return kmsError('BackendUnavailable', { store: 'fake://vault', reason: 'the process died' })
}
