import type { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { type Clock, isKmsError, kmsError } from '@kms/core'
import { readStoreFile } from './key-directory.ts'
import { createKeyRing, type KeyRing } from './key-ring.ts'
import { readFailure } from './storage-error.ts'
import { parseStoreFile, STORE_FILE, type StoreContent, type StoreFile, type UnlockedStore } from './store-file.ts'

/** The KEKs of an opened store, kept in step with its `store.json`, which other servers change too. */
export interface StoreKeys {
  readonly ring: KeyRing
  /** What `store.json` said when it was last read. */
  readonly content: StoreContent
  /**
   * Reads `store.json` and takes over what changed: its bytes are known to be authentic, or are proven now. Throws
   * `RealmMissing`, `RealmConflict`, `StoreDamaged`, `BackendUnavailable`, and what is wrong with the root key when that was
   * changed by another server and is not known to this one.
   */
  refresh(): Promise<void>
  /** {@link refresh} for a reader that met a KEK it does not know: fails in silence. */
  learn(): Promise<void>
  /** Takes over what was just written as `store.json`. */
  adopt(bytes: Buffer, store: UnlockedStore): void
  /** Zeroes the KEKs. */
  close(): void
}

export interface StoreKeysOptions {
  /** The key directory. */
  readonly directory: string
  /** `store.json` as it was opened, and what it held. */
  readonly bytes: Buffer
  readonly store: UnlockedStore
  readonly open: (file: StoreFile) => Promise<UnlockedStore>
  readonly clock: Clock
}

/** A passphrase costs 0.2 s to try: for so long, the same bytes get the same refusal. */
const REFUSED_FOR_MS = 5000
const LOOKS = 5

/**
 * Runs `look`, which reads a store, tells what it read, and opens it, again while another server may be changing a generated
 * root key: then the store and the key that were read do not belong together, and those that are read after that do.
 */
export async function whileRootKeyChanges<T>(look: (read: (file: StoreFile) => void) => Promise<T>): Promise<T> {
  for (let looks = 1; ; looks++) {
    let isGenerated = false
    try {
      return await look(({ content }) => {
        isGenerated = content.root_key.kind === 'generated'
      })
    } catch (error) {
      const mayPass = isGenerated && isKmsError(error, 'RootKeyMismatch', 'RootKeyMissing')
      if (!mayPass || looks === LOOKS) throw error
    }
  }
}

export function createStoreKeys({ directory, bytes, store, open, clock }: StoreKeysOptions): StoreKeys {
  const path = join(directory, STORE_FILE)
  const { realm } = store.content
  const ring = createKeyRing(realm, store.content.current_kek, store.keks)
  let known = bytes
  let { content } = store
  let refused: { readonly bytes: Buffer; readonly error: unknown; readonly at: number } | undefined
  let loading: Promise<void> | undefined
  let generation = 0
  let closed = false

  function adopt(next: Buffer, unlocked: UnlockedStore): void {
    if (closed) {
      for (const kek of unlocked.keks) kek.key.fill(0)
      return
    }
    generation++
    known = next
    content = unlocked.content
    ring.replace(unlocked.keks, content.current_kek)
  }

  function load(first: Buffer): Promise<void> {
    let next: Buffer | undefined = first
    return whileRootKeyChanges(async (told) => {
      const found = next ?? (await read())
      next = undefined
      if (!found.equals(known)) await take(found, told)
    })
  }

  async function take(found: Buffer, told: (file: StoreFile) => void): Promise<void> {
    if (refused?.bytes.equals(found) === true && clock.now() - refused.at < REFUSED_FOR_MS) throw refused.error
    const file = parseStoreFile(found, path)
    told(file)
    if (file.content.realm !== realm) {
      throw kmsError('RealmConflict', { realm, place: directory, reason: 'another key store took its place' })
    }
    try {
      adopt(found, await open(file))
      refused = undefined
    } catch (error) {
      if (file.content.root_key.kind === 'passphrase') refused = { bytes: found, error, at: clock.now() }
      throw error
    }
  }

  async function read(): Promise<Buffer> {
    const found = await readStoreFile(directory).catch((error: unknown) => {
      throw readFailure(directory, error)
    })
    if (found === undefined) throw kmsError('RealmMissing', { realm, place: directory })
    return found
  }

  async function refresh(): Promise<void> {
    for (;;) {
      const startedIn = generation
      const found = await read()
      if (closed || found.equals(known)) return
      // What was read before something newer was taken over must not replace it.
      if (startedIn !== generation) continue
      if (loading === undefined) {
        loading = load(found)
        const finished = (): void => {
          loading = undefined
        }
        loading.then(finished, finished)
      }
      await loading
    }
  }

  return {
    ring,
    get content() {
      return content
    },
    refresh,

    learn: () => refresh().catch(() => {}),

    adopt,

    close() {
      closed = true
      ring.close()
    },
  }
}
