import { chmod, mkdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type ConfigDocument, kmsError, type OpenedBackend, type OpenOptions } from '@kms/core'
import { errnoOf, syncDirectory, writeDurably } from '@kms/core/internal'
import { checkKeyDirectoryPolicy, inspectKeyDirectory } from './key-directory.ts'
import { createLocalBackend } from './local-backend.ts'
import { makeDirectory } from './make-directory.ts'
import { decideRootKey, type RootKey, recoverRootKey, rootKeyPath } from './root-key.ts'
import { type RootSecret, type RootSecretOptions, readRootSecret } from './root-secret.ts'
import { writeFailure } from './storage-error.ts'
import { encodeNewStore, parseStoreFile, STORE_FILE, unlockStore } from './store-file.ts'

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
  const directory = config['key_dir'] as string
  const mode = config['file_permissions'] as number
  await checkKeyDirectoryPolicy(directory, {
    ...options.policy,
    forbiddenDirs: [...options.policy.forbiddenDirs, options.rootKeyDir],
  })
  const secret = await readRootSecret(config, options)
  const made = await makeIfAllowed(directory, mode, secret, options)
  if (made === undefined) return openExisting(directory, mode, secret, options)
  const opened = await openExisting(directory, mode, made.root, options)
  return { ...opened, initialised: true, notes: made.notes }
}

/** Makes the store if there is none; `undefined` when there is one already, or another server was quicker. */
async function makeIfAllowed(
  directory: string,
  mode: number,
  secret: RootSecret | undefined,
  options: OpenLocalStoreOptions,
): Promise<{ readonly root: RootKey; readonly notes: readonly string[] } | undefined> {
  const place = await inspectKeyDirectory(directory)
  if (place.kind === 'store') return undefined
  const { expectedRealm, mayInitialise, signal, random, clock, rootKeyDir } = options
  if (expectedRealm !== undefined) throw kmsError('RealmMissing', { realm: expectedRealm, place: directory })
  if (place.kind === 'foreign') throw kmsError('StoreNotOurs', { path: directory, reason: place.reason })
  if (!mayInitialise) throw kmsError('StoreNotInitialised', { place: directory })
  signal.throwIfAborted()
  const notes: string[] = []
  try {
    await makeDirectory(directory)
    await chmod(directory, 0o700).catch(() => {
      notes.push(`${directory} belongs to another user; make sure that nobody else can read it.`)
    })
  } catch (error) {
    throw writeFailure(directory, error)
  }
  const realm = random(16).toString('hex')
  const root = await decideRootKey(secret, { realm, rootKeyDir, random })
  if (root.note !== undefined) notes.push(root.note)
  const path = join(directory, STORE_FILE)
  try {
    signal.throwIfAborted()
    const bytes = encodeNewStore({ realm, origin: root.origin, rootKey: root.key, createdAt: clock.now(), random })
    await writeDurably(path, bytes, { mode, exclusive: true })
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

async function openExisting(
  directory: string,
  mode: number,
  rootKey: RootKey | RootSecret | undefined,
  { expectedRealm, rootKeyDir, clock, random, signal }: OpenLocalStoreOptions,
): Promise<OpenedBackend> {
  const place = await inspectKeyDirectory(directory)
  const path = join(directory, STORE_FILE)
  if (place.kind !== 'store') throw kmsError('StoreUnwritable', { path, reason: 'it vanished while it was opened' })
  const file = parseStoreFile(place.bytes, path)
  // Before the root key: that another directory's does not fit says nothing about what is wrong.
  if (expectedRealm !== undefined && file.content.realm !== expectedRealm) {
    throw kmsError('RealmConflict', { realm: expectedRealm, place: directory, reason: 'another key store is there' })
  }
  const root = rootKey !== undefined && 'key' in rootKey ? rootKey : await recoverRootKey(file, rootKey, rootKeyDir)
  try {
    signal.throwIfAborted()
    const store = unlockStore(file, root.key)
    try {
      await ensureKeysDirectory(directory)
    } catch (error) {
      store.ring.close()
      throw error
    }
    const backend = createLocalBackend({ directory, store, mode, clock, random })
    return { backend, initialised: false, notes: root.note === undefined ? [] : [root.note] }
  } finally {
    root.key.fill(0)
  }
}

/** It follows `store.json`, so that a crash in between leaves nothing but what is ours. */
async function ensureKeysDirectory(directory: string): Promise<void> {
  const path = join(directory, 'keys')
  try {
    if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error
    })
    await syncDirectory(directory)
  } catch (error) {
    throw writeFailure(path, error)
  }
}
