import type { Buffer } from 'node:buffer'
import { chmod, mkdir, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type ConfigDocument, kmsError, type OpenedBackend, type OpenOptions, type Realm } from '@kms/core'
import { errnoOf, syncDirectory, writeDurably } from '@kms/core/internal'
import { checkKeyDirectoryPolicy, inspectKeyDirectory } from './key-directory.ts'
import { createLocalBackend } from './local-backend.ts'
import { createLocalStore, type LocalStore } from './local-store.ts'
import { makeDirectory } from './make-directory.ts'
import { requirePrivate } from './require-private.ts'
import { decideRootKey, type OpenedWithRootKey, type RootKey, rootKeyPath } from './root-key.ts'
import { type RootSecretOptions, readRootSecret } from './root-secret.ts'
import { createRootSource, type RootSource } from './root-source.ts'
import { finishRootKey } from './rotate-root.ts'
import { isCommitted, isStagedRestore } from './staged-restore.ts'
import { readFailure, writeFailure } from './storage-error.ts'
import {
  encodeStoreFile,
  newKek,
  parseStoreFile,
  STORE_FILE,
  type StoreFile,
  type UnlockedStore,
  unlockStore,
} from './store-file.ts'
import { createStoreKeys, type StoreKeys, whileRootKeyChanges } from './store-keys.ts'

/** What opening a local store takes besides its configuration. */
export interface OpenLocalStoreOptions extends OpenOptions, RootSecretOptions {
  readonly rootKeyDir: string
}

/**
 * Opens the store of a configuration, or makes it where formats §7 allows: no realm is expected here, the caller may
 * initialise, and the directory is absent or empty. Of two servers that do so at once one makes the store and the other
 * opens it.
 */
export async function openLocalStore(config: ConfigDocument, options: OpenLocalStoreOptions): Promise<OpenedBackend> {
  await checkKeyDirectoryPolicy(config['key_dir'] as string, {
    ...options.policy,
    forbiddenDirs: [...options.policy.forbiddenDirs, options.rootKeyDir],
  })
  const made = await makeIfAllowed(config, options)
  if (made === undefined) return openExisting(config, undefined, options)
  const opened = await openExisting(config, made.root, options)
  return { ...opened, initialised: true, notes: made.notes }
}

/** Makes the store if there is none; `undefined` when there is one already, or another server was quicker. */
async function makeIfAllowed(
  config: ConfigDocument,
  options: OpenLocalStoreOptions,
): Promise<{ readonly root: RootKey; readonly notes: readonly string[] } | undefined> {
  const directory = config['key_dir'] as string
  const mode = config['file_permissions'] as number
  const place = await inspectKeyDirectory(directory)
  if (place.kind === 'store') return undefined
  const { expectedRealm, mayInitialise, signal, random, rootKeyDir } = options
  if (expectedRealm !== undefined) throw kmsError('RealmMissing', { realm: expectedRealm, place: directory })
  if (place.kind === 'foreign') throw kmsError('StoreNotOurs', { path: directory, reason: place.reason })
  if (!mayInitialise) throw kmsError('StoreNotInitialised', { place: directory })
  const secret = await readRootSecret(config, options)
  signal.throwIfAborted()
  const notes: string[] = []
  try {
    await makeDirectory(directory)
    // Empty, it may be narrowed; of another user's it can't be, and that is what is said then.
    await chmod(directory, 0o700).catch(() => {})
  } catch (error) {
    throw writeFailure(directory, error)
  }
  await requirePrivate(directory, 'directory')
  const realm = random(16).toString('hex')
  const root = await decideRootKey(secret, { realm, rootKeyDir, random, replaces: false })
  if (root.note !== undefined) notes.push(root.note)
  const path = join(directory, STORE_FILE)
  try {
    signal.throwIfAborted()
    await writeDurably(path, encodeNewStore(realm, root, options), { mode, exclusive: true })
    return { root, notes }
  } catch (error) {
    root.key.fill(0)
    const code = errnoOf(error)
    if (code === undefined) throw error
    // EEXIST: another server's store is there. ENOENT: it also tidied up our temporary file.
    if (code !== 'EEXIST' && code !== 'ENOENT') throw writeFailure(path, error)
    if (root.origin.kind === 'generated') await unlink(rootKeyPath(rootKeyDir, realm)).catch(() => {})
    return undefined
  }
}

function encodeNewStore(realm: Realm, root: RootKey, { clock, random }: OpenLocalStoreOptions): Buffer {
  const kek = newKek(realm, random)
  const facts = { realm, created_at: clock.now(), root_key: root.origin, current_kek: kek.id, keks: [{ kek }] }
  const bytes = encodeStoreFile(facts, root.key, random)
  kek.key.fill(0)
  return bytes
}

async function openExisting(
  config: ConfigDocument,
  made: RootKey | undefined,
  options: OpenLocalStoreOptions,
): Promise<OpenedBackend> {
  const { expectedRealm, changedRoot, clock, random, signal, onNotice = () => {} } = options
  const directory = config['key_dir'] as string
  const first = await readExisting(directory, expectedRealm)
  await requirePrivate(directory, 'directory')
  await requirePrivate(join(directory, STORE_FILE), 'file')
  const root = createRootSource(changedRoot === undefined ? [config] : [config, changedRoot], options)
  const { bytes, opened } =
    made === undefined
      ? await unlockExisting(first, root, () => readExisting(directory, expectedRealm))
      : { bytes: first.bytes, opened: { ...unlockAndZero(first.file, made), config } }
  root.settle(opened.config)
  const openAgain = (changed: StoreFile): Promise<UnlockedStore> => root.open(changed, (found) => found)
  const storeKeys = createStoreKeys({ directory, bytes, store: opened, open: openAgain, clock })
  try {
    signal.throwIfAborted()
    await ensureKeysDirectory(directory)
  } catch (error) {
    storeKeys.close()
    throw error
  }
  const mode = config['file_permissions'] as number
  const store = createLocalStore({ directory, storeKeys, mode, clock, random })
  await finishRestores(store, storeKeys)
  // Whoever opens the store does not wait for it, nor fail when it does: the next one tries again.
  if (opened.unadopted) store.alone(() => finishRootKey(store, root)).catch(() => {})
  return {
    backend: createLocalBackend({ store, root, notify: onNotice }),
    initialised: false,
    notes: opened.note === undefined ? [] : [opened.note],
    ...(opened.config === config ? {} : { rootChanged: true }),
  }
}

/** Without it, a store that was being restored would look like one that lost its keys. */
async function finishRestores({ directory, alone, close }: LocalStore, { ring }: StoreKeys): Promise<void> {
  try {
    const names = (await readdir(directory)).filter(isStagedRestore)
    const committed = await Promise.all(names.map((name) => isCommitted(directory, name, ring)))
    if (committed.includes(true)) await alone(async () => {})
  } catch (error) {
    await close()
    throw readFailure(directory, error)
  }
}

interface ExistingStore {
  readonly bytes: Buffer
  readonly file: StoreFile
}

async function readExisting(directory: string, expectedRealm: Realm | undefined): Promise<ExistingStore> {
  const place = await inspectKeyDirectory(directory)
  const path = join(directory, STORE_FILE)
  if (place.kind !== 'store') throw kmsError('StoreUnwritable', { path, reason: 'it vanished while it was opened' })
  const file = parseStoreFile(place.bytes, path)
  // Before the root key: that another directory's does not fit says nothing about what is wrong.
  if (expectedRealm !== undefined && file.content.realm !== expectedRealm) {
    throw kmsError('RealmConflict', { realm: expectedRealm, place: directory, reason: 'another key store is there' })
  }
  return { bytes: place.bytes, file }
}

/** Opens what was read first, and when that may have been overtaken by a change of the root key, what is read then. */
async function unlockExisting(
  first: ExistingStore,
  root: RootSource,
  readAgain: () => Promise<ExistingStore>,
): Promise<{ readonly bytes: Buffer; readonly opened: OpenedWithRootKey & { readonly config: ConfigDocument } }> {
  let read: ExistingStore | undefined = first
  return whileRootKeyChanges(async (told) => {
    const { bytes, file } = read ?? (await readAgain())
    read = undefined
    told(file)
    return { bytes, opened: await root.open(file, (found, _, by) => ({ ...found, config: by })) }
  })
}

function unlockAndZero(file: StoreFile, { key }: RootKey): UnlockedStore {
  try {
    return unlockStore(file, key)
  } finally {
    key.fill(0)
  }
}

/** It follows `store.json`, so that a crash in between leaves nothing but what is ours. */
async function ensureKeysDirectory(directory: string): Promise<void> {
  const path = join(directory, 'keys')
  try {
    await mkdir(path, { mode: 0o700 })
    await syncDirectory(directory)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw writeFailure(path, error)
  }
  await requirePrivate(path, 'directory')
}
