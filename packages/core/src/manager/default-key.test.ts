import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, type Harness } from '../../test/manager-harness.ts'
import type { KmsManager } from './manager-types.ts'

let harness: Harness
let manager: KmsManager
beforeEach(async () => {
  harness = await createHarness()
  harness.allowImmediateDeletion = true
})
afterEach(() => harness.close())

const request = (key: string) => ({ key, authorize: anyone, caller })
const alias = (key: string) => ({ ...request(key), alias: 'nick' })

describe('a default key that was configured by an alias and could not be read at the first start', () => {
  beforeEach(async () => {
    manager = await harness.running({ backend_type: 'memory', name: 'a' })
    for (const name of ['real', 'other']) await manager.keys.create({ name, authorize: anyone, caller })
    await manager.keys.addAlias(alias('real'))
    await manager.stop(caller)
    harness.store('a').unreadable.add('real')
    await manager.configure({ backend_type: 'memory', name: 'a', default_key_id: 'nick' }, caller)
    await manager.start({ force: false }, caller)
  })

  function mend(): void {
    harness.store('a').unreadable.delete('real')
    manager.clearCache()
  }

  it('is used as soon as it can be, without another start', async () => {
    expect(manager.status()).toMatchObject({ status: 'Running', lastError: expect.stringContaining('name no key') })
    await expect(dataKey(manager)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    mend()
    expect((await dataKey(manager)).keyId).toBe('real')
  })

  it('is not destroyed meanwhile', async () => {
    mend()
    const destroy = (key: string) => manager.keys.destroy({ ...request(key), confirmKeyId: key })
    await expect(destroy('real')).rejects.toMatchObject({ code: 'KeyIsDefault' })
    await expect(manager.keys.scheduleDeletion(request('real'))).rejects.toMatchObject({ code: 'KeyIsDefault' })
    await destroy('other')
  })

  it('is the key it names at the next start, wherever the alias goes after that', async () => {
    mend()
    manager = await harness.boot()
    await manager.keys.removeAlias(alias('real'))
    await manager.keys.addAlias(alias('other'))
    expect((await dataKey(manager)).keyId).toBe('real')
    manager = await harness.boot()
    expect((await dataKey(manager)).keyId).toBe('real')
  })
})
