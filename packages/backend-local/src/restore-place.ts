import type { Buffer } from 'node:buffer'
import { chmod, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type ArchiveSource, type ConfigDocument, kmsError, type RestoreOptions, type RestoreReport } from '@kms/core'
import { type RestoreTarget, surveyRestore } from '@kms/core/internal'
import { commitFile } from './commit-file.ts'
import { checkKeyDirectoryPolicy, inspectKeyDirectory, readStoreFile } from './key-directory.ts'
import { createKeyRing } from './key-ring.ts'
import { makeDirectory } from './make-directory.ts'
import { type OpenLocalStoreOptions, openLocalStore } from './open-local-store.ts'
import { requirePrivate } from './require-private.ts'
import { emptyTarget, stageStep } from './restore-store.ts'
import { decideRootKey, rootKeyPath } from './root-key.ts'
import { readRootSecret } from './root-secret.ts'
import { createStagedRestore } from './staged-restore.ts'
import { writeFailure } from './storage-error.ts'
import { encodeStoreFile, newKek, parseStoreFile, STORE_FILE } from './store-file.ts'

/** `BackendDriver.restore` of a key directory: an existing store of the realm, or an absent or empty place. */
export async function restoreLocalStore(
  config: ConfigDocument,
  archive: ArchiveSource,
  options: OpenLocalStoreOptions & RestoreOptions,
): Promise<RestoreReport> {
  const directory = config['key_dir'] as string
  await checkKeyDirectoryPolicy(directory, {
    ...options.policy,
    forbiddenDirs: [...options.policy.forbiddenDirs, options.rootKeyDir],
  })
  const { realm: archived } = archive.header
  const place = await inspectKeyDirectory(directory)
  if (place.kind === 'foreign') throw kmsError('StoreNotOurs', { path: directory, reason: place.reason })
  const held =
    place.kind === 'store' ? parseStoreFile(place.bytes, join(directory, STORE_FILE)).content.realm : undefined
  const realm = held ?? options.expectedRealm ?? archived
  if (realm !== archived) throw kmsError('ForeignArchive', { archived, place: directory, realm })
  if (held === undefined) {
    const target = emptyTarget({ realm }, () => options.clock.now())
    // Before anything is written: whether it can be done at all.
    const report = await surveyRestore(archive, target, options)
    return options.dryRun ? report : makeStoreOf(config, archive, target, options)
  }
  const { backend } = await openLocalStore(config, { ...options, mayInitialise: false })
  try {
    return (await backend.restore?.(archive, options)) as RestoreReport
  } finally {
    await backend.close()
  }
}

/** `store.json` comes last: with it the restore takes place, and until then the place counts as empty. */
async function makeStoreOf(
  config: ConfigDocument,
  archive: ArchiveSource,
  target: RestoreTarget,
  options: OpenLocalStoreOptions & RestoreOptions,
): Promise<RestoreReport> {
  const directory = config['key_dir'] as string
  const mode = config['file_permissions'] as number
  const { clock, random, rootKeyDir } = options
  const { realm } = archive.header
  const secret = await readRootSecret(config, options)
  try {
    await makeDirectory(directory)
    await chmod(directory, 0o700).catch(() => {})
  } catch (error) {
    throw writeFailure(directory, error)
  }
  await requirePrivate(directory, 'directory')
  const root = await decideRootKey(secret, { realm, rootKeyDir, random, replaces: false, mayExist: true })
  const kek = newKek(realm, random)
  const ring = createKeyRing(realm, kek.id, [kek])
  const path = join(directory, STORE_FILE)
  const staged = await createStagedRestore({ directory, ring, mode, random })
  let bytes: Buffer | undefined
  let report: RestoreReport
  try {
    report = await surveyRestore(archive, target, options, (step) => stageStep(step, staged, { ring, random, clock }))
    await staged.commit()
    const facts = { realm, created_at: clock.now(), root_key: root.origin, current_kek: kek.id, keks: [{ kek }] }
    bytes = encodeStoreFile(facts, root.key, random)
    await commitFile(path, bytes, { mode, exclusive: true })
  } catch (error) {
    // A failure may come after the fact: what is there then needs what was prepared for it.
    const found = await readStoreFile(directory).catch(() => undefined)
    if (bytes === undefined || found?.equals(bytes) !== true) {
      await staged.remove()
      if (root.fresh) await unlink(rootKeyPath(rootKeyDir, realm)).catch(() => {})
    }
    throw error
  } finally {
    root.key.fill(0)
    ring.close()
  }
  // Opening it finishes the restore.
  const { backend } = await openLocalStore(config, { ...options, mayInitialise: false, expectedRealm: realm })
  await backend.close()
  return report
}
