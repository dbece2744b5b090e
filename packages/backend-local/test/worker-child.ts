import { writeSync } from 'node:fs'
import { type ArchiveEntry, isKmsError, type KeyBackend, systemClock, systemRandom } from '@kms/core'
import { archiveOf, heldArchive, nothingSeen } from '@kms/core/testing'
import { localDriver } from '../src/local-driver.ts'
import { documentOf } from './document-of.ts'

// Runs in a process of its own, until it is killed or has done its number of writes: [key directory, root key directory,
// name of the worker, number of writes, `restores` if it is to restore archives, too]. Several use one store at the same time.
// Writes a line of JSON once something is acknowledged, so that whoever finds it dead knows what must be there.
const [keyDir = '', rootKeyDir = '', name = '', count = '', restores = ''] = process.argv.slice(2)
const report = (line: object): number => writeSync(1, `${JSON.stringify(line)}\n`)
const KEYS = ['alpha', 'beta', 'Gamma', 'delta']
const none = { description: '', tags: new Map<string, string>() }

const driver = localDriver({ rootKeyDir, environment: () => undefined, policy: { forbiddenDirs: [] } })
const config = documentOf(driver, { key_dir: keyDir })
const { backend } = await driver.open(config, {
  clock: systemClock,
  random: systemRandom,
  mayInitialise: true,
  signal: new AbortController().signal,
})

/** What several writers do to each other; anything else is a defect. */
const EXPECTED = [
  'KeyNotFound',
  'KeyDestroyed',
  'KeyAlreadyExists',
  'PreconditionFailed',
  'KeyVersionNotCurrent',
  'KeyMaterialReplaced',
  'StoreChanged',
] as const

async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isKmsError(error, ...EXPECTED)) throw error
  }
}

let archive: readonly ArchiveEntry[] = []

/** Archives the store, or brings back what was archived before, whatever became of it. */
async function archiveOrRestore(): Promise<void> {
  if (archive.length === 0) {
    archive = await archiveOf(backend)
    return
  }
  const how = { conflict: 'overwrite', dryRun: false, seen: nothingSeen } as const
  const { versions } = (await backend.restore?.(heldArchive(backend.realm, archive), how)) ?? {}
  report({ restored: versions })
  archive = []
}

async function write(i: number): Promise<void> {
  if (restores !== '' && systemRandom(1).readUInt8() < 80) return archiveOrRestore()
  const keyId = KEYS[systemRandom(1).readUInt8() % KEYS.length] as string
  const chance = systemRandom(1).readUInt8()
  if (chance < 24) {
    const { changed } = (await backend.rotateRoot?.(config, { reseal: chance < 16 })) ?? {}
    report({ root: changed })
  } else if (chance < 70) {
    await backend.create({ ...none, keyId, aliases: chance < 40 ? [`${keyId}-alias`] : [] })
    report({ created: keyId })
  } else if (chance < 85) {
    const { etag, currentVersion } = await backend.describe(keyId)
    report({ destroying: keyId, version: currentVersion })
    await backend.destroy(keyId, etag)
    report({ destroyed: keyId, version: currentVersion })
  } else if (chance < 150) {
    const { etag } = await backend.describe(keyId)
    const { currentVersion } = await backend.rotate(keyId, etag)
    report({ rotated: keyId, version: currentVersion })
  } else {
    const { etag } = await backend.describe(keyId)
    await backend.update(keyId, { description: `${name} ${i}` }, etag)
  }
}

async function wrap(store: KeyBackend): Promise<void> {
  for (const keyId of KEYS) {
    await attempt(async () => {
      const { currentVersion: version, materialId } = await store.describe(keyId)
      const plaintext = systemRandom(16)
      const wrapped = await store.wrap({ keyId, version, plaintext, aad: new Uint8Array(32) })
      report({ wrapped: wrapped.toString('hex'), plaintext: plaintext.toString('hex'), keyId, version, materialId })
    })
  }
}

for (let i = 0; i < Number(count); i++) {
  await attempt(() => write(i))
  await wrap(backend)
  const { unreadable } = await backend.list({ limit: 100 })
  if (unreadable.length > 0) throw new Error(`unreadable: ${unreadable.join()}`)
}
await backend.close()
report({ done: name })
