import type { KeyBackend, KeyRecord } from '@kms/core'

/** One call of the history that the crash and fault tests cut short. */
export interface Chapter {
  readonly name: string
  run(backend: KeyBackend): Promise<unknown>
}

async function current(backend: KeyBackend): Promise<KeyRecord> {
  return backend.describe('Key')
}

/** Every kind of write, in an order in which each has something to do. */
export const history: readonly Chapter[] = [
  {
    name: 'create',
    run: (backend) => backend.create({ keyId: 'Key', aliases: ['one', 'Two'], description: '', tags: new Map() }),
  },
  { name: 'rotate', run: async (backend) => backend.rotate('Key', (await current(backend)).etag) },
  {
    name: 'update',
    run: async (backend) => backend.update('Key', { description: 'changed' }, (await current(backend)).etag),
  },
  {
    name: 'move aliases',
    run: async (backend) => backend.update('Key', { aliases: ['Two', 'three'] }, (await current(backend)).etag),
  },
  { name: 'destroy', run: async (backend) => backend.destroy('Key', (await current(backend)).etag) },
  {
    name: 'create again',
    run: (backend) => backend.create({ keyId: 'Key', aliases: ['one'], description: '', tags: new Map() }),
  },
]

/** What is true of the store after so many chapters: the whole of it, as a string. */
export const statesAfter: readonly string[] = [
  'no key',
  'versions 1-1, aliases one Two, ""',
  'versions 1-2, aliases one Two, ""',
  'versions 1-2, aliases one Two, "changed"',
  'versions 1-2, aliases Two three, "changed"',
  'no key',
  'versions 3-3, aliases one, ""',
]

/** The state of the store, as every verb together shows it. Throws when they contradict each other. */
export async function observe(backend: KeyBackend): Promise<string> {
  const { keys, unreadable } = await backend.list({ limit: 10 })
  const key = keys.find(({ keyId }) => keyId === 'Key')
  const others = keys.filter(({ keyId }) => keyId !== 'Key' && keyId !== 'bystander')
  if (unreadable.length > 0 || others.length > 0) throw new Error('another key is listed, or one is unreadable')
  for (const alias of ['one', 'Two', 'three']) {
    const found = await backend.describe(alias).catch((error: { code?: string }) => error.code)
    const expected = key?.aliases.includes(alias) === true ? key.keyId : 'KeyNotFound'
    if ((typeof found === 'string' ? found : found?.keyId) !== expected) throw new Error(`${alias} is not ${expected}`)
  }
  if (key === undefined) return 'no key'
  for (let version = key.oldestVersion; version <= key.currentVersion; version++) {
    const request = { keyId: 'Key', version, algorithm: backend.algorithm, materialId: '', wrapped: Buffer.alloc(41) }
    const code = await backend
      .unwrap({ ...request, aad: Buffer.alloc(32) })
      .catch((error: { code?: string }) => error.code)
    if (code !== 'KeyMaterialReplaced') throw new Error(`version ${version}: ${String(code)}`)
  }
  return `versions ${key.oldestVersion}-${key.currentVersion}, aliases ${key.aliases.join(' ')}, "${key.description}"`
}
