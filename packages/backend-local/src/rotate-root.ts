import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { type ConfigDocument, isKmsError, kmsError, type RootRotation } from '@kms/core'
import { readStoreFile } from './key-directory.ts'
import type { Kek } from './key-ring.ts'
import type { LocalStore } from './local-store.ts'
import {
  decideRootKey,
  openWithRootKey,
  putRootKeyInPlace,
  type RootKey,
  removeRootKeys,
  rootKeyPath,
} from './root-key.ts'
import { type RootSecret, readRootSecret } from './root-secret.ts'
import type { RootSource } from './root-source.ts'
import {
  encodeStoreFile,
  newKek,
  parseStoreFile,
  STORE_FILE,
  type StoreContent,
  type StoreFile,
  unlockStore,
} from './store-file.ts'

/**
 * Seals the KEKs under the root key that `config` names, and with `reseal` adds a new KEK, all in one atomic write. A root
 * key that is the store's already stays, and so does a generated one while a re-seal is under way: that is the same call,
 * made again to see how far it is. With `reseal`, a KEK that no earlier root key ever sealed stays too.
 */
export async function rotateRoot(
  store: LocalStore,
  root: RootSource,
  config: ConfigDocument,
  { reseal }: { readonly reseal: boolean },
): Promise<Omit<RootRotation, 'reseal'>> {
  const secret = await readRootSecret(config, root)
  return store.alone(async () => {
    const file = await presentFile(store)
    const { content } = file
    const same = await isPresentRootKey(file, secret, root)
    const askedAgain = reseal && secret === undefined && content.root_key.kind === 'generated' && isResealing(content)
    if (askedAgain || (same && !(reseal && isOlderThanRootKey(content)))) {
      root.settle(config)
      return { changed: false, notes: [] }
    }
    const next = same ? await presentRootKey(file, root) : await nextRootKey(file, secret, root)
    const kek = reseal ? newKek(content.realm, store.random) : undefined
    try {
      await writeStoreFile(store, root, config, { content, next, kek, changes: !same })
    } finally {
      next.key.fill(0)
      kek?.key.fill(0)
    }
    if (same) return { changed: false, notes: [] }
    return {
      changed: true,
      notes: [...(next.note === undefined ? [] : [next.note]), ...(await tidyUp(store, next, root))],
    }
  })
}

/** Removes the KEKs of these ids, which no file names any more; inside `alone`. Throws what is wrong with the root key. */
export async function dropKeks(store: LocalStore, root: RootSource, ids: ReadonlySet<string>): Promise<void> {
  const file = await presentFile(store)
  const next = await presentRootKey(file, root)
  const keks = file.content.keks.filter(({ id }) => !ids.has(id))
  try {
    await writeStoreFile(store, root, next.config, { content: { ...file.content, keks }, next, changes: false })
  } finally {
    next.key.fill(0)
  }
}

/** Finishes a change of the root key that was interrupted after `store.json`; inside `alone`. */
export async function finishRootKey(store: LocalStore, root: RootSource): Promise<void> {
  const file = await presentFile(store)
  if (file.content.root_key.kind === 'generated') await putRootKeyInPlace(file, root.rootKeyDir)
}

/** The `store.json` that `alone` has just proven. */
async function presentFile({ directory }: LocalStore): Promise<StoreFile> {
  const path = join(directory, STORE_FILE)
  const bytes = await readStoreFile(directory)
  if (bytes === undefined) throw kmsError('StoreUnwritable', { path, reason: 'it vanished while it was being changed' })
  return parseStoreFile(bytes, path)
}

async function isPresentRootKey(file: StoreFile, secret: RootSecret | undefined, root: RootSource): Promise<boolean> {
  // Without a secret, a key is generated, which is always another one.
  if (secret === undefined || file.content.root_key.kind === 'generated') return false
  try {
    return await openWithRootKey(file, secret, root.rootKeyDir, ({ keks }) => {
      for (const kek of keks) kek.key.fill(0)
      return true
    })
  } catch (error) {
    if (isKmsError(error, 'RootKeyMismatch')) return false
    throw error
  }
}

function isResealing({ keks }: StoreContent): boolean {
  return keks.length > 1
}

/** Whether the KEK that new files are written under was sealed under an earlier root key too. */
function isOlderThanRootKey({ keks, current_kek, root_since = 0 }: StoreContent): boolean {
  return (keks.find(({ id }) => id === current_kek)?.created_at ?? 0) < root_since
}

async function presentRootKey(
  file: StoreFile,
  root: RootSource,
): Promise<RootKey & { readonly config: ConfigDocument }> {
  return root.open(file, ({ keks }, key, config) => {
    for (const kek of keks) kek.key.fill(0)
    return { key: Buffer.from(key), origin: file.content.root_key, config }
  })
}

async function nextRootKey(file: StoreFile, secret: RootSecret | undefined, root: RootSource): Promise<RootKey> {
  const { realm, root_key } = file.content
  // The next one would take its place.
  if (root_key.kind === 'generated') await putRootKeyInPlace(file, root.rootKeyDir)
  return decideRootKey(secret, { realm, rootKeyDir: root.rootKeyDir, random: root.random, replaces: true })
}

interface NextStore {
  /** What `store.json` says now, with the KEKs it is to keep. */
  readonly content: StoreContent
  readonly next: RootKey
  /** Added, and current from then on. */
  readonly kek?: Kek | undefined
  /** Whether `next` is another root key than the present one. */
  readonly changes: boolean
}

async function writeStoreFile(
  store: LocalStore,
  root: RootSource,
  config: ConfigDocument,
  { content, next, kek, changes }: NextStore,
): Promise<void> {
  const { ring, storeKeys, directory, clock, random } = store
  const path = join(directory, STORE_FILE)
  const newest = Math.max(...content.keks.map(({ created_at = 0 }) => created_at))
  // Later than every KEK it has sealed before, whatever the clock says.
  const since = changes ? Math.max(clock.now(), newest + 1) : content.root_since
  const kept = content.keks.map(({ id, created_at }) => ({ kek: ring.find(id) as Kek, createdAt: created_at }))
  const added = kek === undefined ? [] : [{ kek, createdAt: Math.max(clock.now(), since ?? 0) }]
  const facts = { ...content, root_key: next.origin, root_since: since, keks: [...kept, ...added] }
  const bytes = encodeStoreFile({ ...facts, current_kek: kek?.id ?? content.current_kek }, next.key, random)
  const takeBack = root.consider(config)
  try {
    await store.commit(path, bytes)
  } catch (error) {
    // After any other failure the new bytes may be there, now or after a crash: then either root key may be the store's.
    if (isKmsError(error, 'StorageFailed', 'StoreUnwritable')) takeBack()
    throw error
  }
  storeKeys.adopt(bytes, unlockStore(parseStoreFile(bytes, path), next.key))
  root.settle(config)
}

/** A generated key takes the place of the one before; one that is not needed any more goes. Returns what did not work. */
async function tidyUp(store: LocalStore, next: RootKey, { rootKeyDir }: RootSource): Promise<readonly string[]> {
  const file = await presentFile(store)
  const { realm } = file.content
  try {
    const generated = next.origin.kind === 'generated'
    if (generated) await putRootKeyInPlace(file, rootKeyDir)
    await removeRootKeys(rootKeyDir, realm, generated ? 'others' : 'all')
    return []
  } catch (error) {
    const reason = isKmsError(error) ? error.message : 'an internal error occurred'
    return next.origin.kind === 'generated'
      ? [`The new root key could not be put in its place yet; the next start does it. ${reason}`]
      : [
          `The root key generated before is not needed any more and could not be removed from ${rootKeyPath(rootKeyDir, realm)}. ${reason}`,
        ]
  }
}
