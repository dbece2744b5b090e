import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  createServerKey,
  type KmsManager,
  systemRandom,
} from '@kms/core'
import { type MemoryDriver, memoryDriver } from '@kms/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createObjectCipher, dataPlaneKeyWrapping, type ObjectCipher, type WriteEncryption } from '../src/index.ts'
import { anyone, get, pattern, put } from './memory-store.ts'

const name = { bucket: 'photos', key: 'holiday' }
const caller = { principal: 'root' }
const direct: WriteEncryption = { mode: 'SSE-KMS', keyName: 'master', context: new Map([['a', 'b']]), bucketKey: false }
const withBucketKey: WriteEncryption = { ...direct, bucketKey: true }
const both = [direct, withBucketKey]

let directory: string
let driver: MemoryDriver
let manager: KmsManager
let cipher: ObjectCipher

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sse-'))
  driver = memoryDriver()
  const serverKeys = { current: createServerKey(systemRandom(32)) }
  const files = { directory, drivers: [driver], keys: serverKeys, random: systemRandom }
  manager = createKmsManager({
    drivers: [driver],
    configStore: await createFileConfigStore({ ...files, onRecovered: expect.fail }),
    canaryStore: createFileCanaryStore({
      directory: join(directory, 'canaries'),
      random: systemRandom,
      onDamaged: expect.fail,
    }),
  })
  await manager.boot()
  await manager.configure({ backend_type: 'memory', name: 'here', default_key_id: 'master' }, caller)
  await manager.start({ force: false }, caller)
  cipher = createObjectCipher({ keys: dataPlaneKeyWrapping(manager.data), serverKeys })
})
afterEach(async () => {
  await manager.close()
  await rm(directory, { recursive: true })
})

describe.each(both)('objects of a real service, bucket key: $bucketKey', (encryption) => {
  it('stay readable when the service moves to another store, and move there when they are wrapped anew', async () => {
    const before = await put(cipher, name, encryption, [pattern(100, 'x')])
    await manager.reconfigure({ name: 'elsewhere' }, caller)
    expect(await get(cipher, name, before)).toEqual(pattern(100, 'x'))
    const after = await put(cipher, name, encryption, [])
    const { keys, keyUse } = await cipher.rewrap({ name, record: before.record, authorize: anyone })
    const { backend } = driver.opened.at(-1) ?? expect.fail('nothing is open')
    expect(keyUse).toEqual({ realm: backend.realm, keyId: 'master', keyVersion: 1 })
    const moved = { record: { ...before.record, keys }, body: before.body }
    expect(await get(cipher, name, moved)).toEqual(pattern(100, 'x'))
    expect(await get(cipher, name, after)).toHaveLength(0)
  })

  it('are neither written nor read while it is stopped, and are again afterwards', async () => {
    const stored = await put(cipher, name, encryption, [pattern(100, 'x')])
    await manager.stop(caller)
    const stopped = { code: 'NotRunning' }
    await expect(get(cipher, name, stored)).rejects.toMatchObject(stopped)
    await expect(put(cipher, name, encryption, [])).rejects.toMatchObject(stopped)
    await manager.start({ force: false }, caller)
    expect(await get(cipher, name, stored)).toEqual(pattern(100, 'x'))
  })

  it('are read and not written under a disabled key', async () => {
    const stored = await put(cipher, name, encryption, [pattern(100, 'x')])
    const { backend } = driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.update('master', { state: 'Disabled' }, (await backend.describe('master')).etag)
    await manager.reconfigure({ enable_cache: false, default_key_id: null }, caller)
    await expect(put(cipher, name, encryption, [])).rejects.toMatchObject({ code: 'KeyDisabled' })
    expect(await get(cipher, name, stored)).toEqual(pattern(100, 'x'))
  })

  it('are damaged when their envelope is another object’s', async () => {
    const stored = await put(cipher, name, encryption, [])
    const other = await put(cipher, { ...name, key: 'other' }, encryption, [])
    const swapped = { ...stored, record: { ...stored.record, keys: other.record.keys } }
    await expect(get(cipher, name, swapped)).rejects.toMatchObject({ code: 'ObjectDamaged' })
  })
})
