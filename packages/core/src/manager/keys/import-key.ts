import type { Buffer } from 'node:buffer'
import type { Clock } from '../../clock.ts'
import { isKmsError, kmsError } from '../../errors/kms-error.ts'
import type { ImportStore, ImportTicket } from '../../imports/import-store.ts'
import { openWrapped, type WrappingKeyPair } from '../../imports/wrapping-key.ts'
import { checkName } from '../../keys/key-limits.ts'
import { requireCapability } from '../../keys/require-capability.ts'
import type { Random } from '../../random.ts'
import type { Authorize } from '../resolve-key.ts'
import type { Snapshot } from '../snapshot.ts'
import type { KeyChangeContext } from './change-key.ts'
import { type CreatedKey, type CreateKeyInput, createKey, planKey } from './create-key.ts'

/** What somebody needs who wants to bring key material. */
export interface ImportParameters {
  readonly token: string
  /** RSA-4096, SubjectPublicKeyInfo in DER. */
  readonly publicKey: Buffer
  /** Milliseconds since the epoch. */
  readonly validUntil: number
}

export interface ImportKeyInput extends CreateKeyInput {
  readonly token: string
  /** The material, 32 bytes, under the public key of the token with RSAES-OAEP and SHA-256. */
  readonly wrapped: Uint8Array
}

/** Makes keys of material that others bring. */
export interface KeyImports {
  parameters(input: { readonly name?: string; readonly authorize: Authorize }): Promise<ImportParameters>
  importKey(input: ImportKeyInput): Promise<CreatedKey>
}

export interface KeyImportsOptions {
  readonly context: KeyChangeContext
  readonly clock: Clock
  readonly random: Random
  /** Absent: nothing can be imported. */
  readonly importStore: ImportStore | undefined
  readonly generateWrappingKey: () => Promise<WrappingKeyPair>
}

const VALID_MS = 24 * 60 * 60_000
const MATERIAL_BYTES = 32

/** How the creation of a key may end that makes no key for sure: the token can then be used again. */
const REFUSALS = ['KeyAlreadyExists', 'KeyIdRetired', 'UnsupportedCapability', 'ValidationError', 'NotRunning'] as const

export function createKeyImports(options: KeyImportsOptions): KeyImports {
  const { context, clock, random, generateWrappingKey } = options
  let generating: Promise<unknown> = Promise.resolve()

  function storeFor({ active, config }: Snapshot): ImportStore {
    requireCapability(active.backend, 'import', config.backend_type)
    if (options.importStore !== undefined) return options.importStore
    throw kmsError('UnsupportedOperation', { reason: 'This server keeps no import tokens.' })
  }

  /** One at a time: each takes a thread of the few that files are read with too. */
  function nextWrappingKey(): Promise<WrappingKeyPair> {
    const pair = generating.then(generateWrappingKey)
    generating = pair.catch(() => {})
    return pair
  }

  async function open(
    store: ImportStore,
    { token, name, wrapped }: ImportKeyInput,
    { active }: Snapshot,
  ): Promise<{ readonly ticket: ImportTicket; readonly material: Buffer }> {
    const ticket = /^[0-9a-f]{32}$/.test(token) ? await store.load(token) : undefined
    if (ticket === undefined) throw refused('it is not known here, or expired long ago')
    if (ticket === 'used') throw refused('it was used already')
    try {
      if (ticket.expiresAt <= clock.now()) throw refused('it has expired')
      if (ticket.realm !== active.realm) throw refused('it was given for another key store')
      if (ticket.keyName !== undefined && ticket.keyName !== name) throw refused('it was given for another key name')
      const material = openWrapped(wrapped, ticket.privateKey)
      if (material?.length === MATERIAL_BYTES) return { ticket, material }
      material?.fill(0)
    } finally {
      ticket.privateKey.fill(0)
    }
    const reason = `must be ${MATERIAL_BYTES} bytes, encrypted under the public key of the token with RSAES-OAEP and SHA-256`
    throw kmsError('ValidationError', { path: 'encrypted_key_material', reason })
  }

  return {
    async parameters({ name, authorize }) {
      if (name !== undefined) {
        checkName(name, 'key_name')
        authorize(name)
      }
      const snapshot = context.source.current()
      const store = storeFor(snapshot)
      const { publicKey, privateKey } = await nextWrappingKey()
      const id = random(16).toString('hex')
      const expiresAt = clock.now() + VALID_MS
      try {
        const { realm } = snapshot.active
        const bound = name === undefined ? {} : { keyName: name }
        await store.save({ id, realm, expiresAt, privateKey, ...bound }, clock.now())
      } finally {
        privateKey.fill(0)
      }
      clock.after(VALID_MS, () => void store.sweep(clock.now()).catch(() => {}))
      return { token: id, publicKey, validUntil: expiresAt }
    },

    async importKey(input) {
      const key = planKey(input)
      const snapshot = context.source.current()
      const store = storeFor(snapshot)
      const { ticket, material } = await open(store, input, snapshot)
      try {
        if (!(await store.claim(ticket))) throw refused('it was used already')
        const created = await snapshot.active
          .use(() => createKey(context, snapshot, { ...key, material }, input.caller))
          .catch(async (error: unknown) => {
            if (isKmsError(error, ...REFUSALS)) await store.release(ticket.id)
            throw error
          })
        // What is left of it expires; that it was used is known.
        await store.finish(ticket.id).catch(() => {})
        return created
      } finally {
        material.fill(0)
      }
    },
  }
}

function refused(reason: string): Error {
  return kmsError('InvalidImportToken', { reason })
}
