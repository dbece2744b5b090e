import { cp, mkdtemp, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KmsManager } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { roots } from './rotations.ts'
import { boot, caller, decrypt, generate } from './service.ts'

// What a server remembers of a store is compared with what is there: with real files brought back by hand.
let home: string
let manager: KmsManager
let keyDir: string
const authorize = (): void => {}
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'kms-rolled-back-'))
  keyDir = join(home, 'keys')
  ;({ manager } = await boot(home))
  await manager.configure({ backend_type: 'local', key_dir: keyDir, default_key_id: 'main', ...roots['raw'] }, caller)
  await manager.start({ force: false }, caller)
  await manager.keys.create({ ...asked, name: 'orders' })
})
afterEach(async () => {
  await manager.close()
  await rm(home, { recursive: true })
})

const recordOf = (key: string): string => join(keyDir, 'keys', `${key}.json`)
const asked = { authorize, caller } as const
const destroy = (key: string) => manager.keys.destroy({ ...asked, key, confirmKeyId: key })

async function stateOf(key: string): Promise<unknown> {
  const { state, problem } = await manager.keys.describe({ key, authorize })
  return problem === undefined ? state : `${state}: ${problem}`
}

async function restart(): Promise<void> {
  await manager.close()
  ;({ manager } = await boot(home))
}

describe('a record of an earlier version, brought back', () => {
  it('is shown as rolled back and not used, at once and after a restart, and no other key is affected', async () => {
    const first = await generate(manager, 'orders')
    const old = await readFile(recordOf('orders'))
    await manager.keys.rotate({ ...asked, key: 'orders' })
    const second = await generate(manager, 'orders')
    const good = await readFile(recordOf('orders'))
    await writeFile(recordOf('orders'), old)
    manager.clearCache()
    for (const again of [async () => {}, restart]) {
      await again()
      expect(await stateOf('orders')).toMatch(/^Unavailable: .*rolled back to version 1; version 2 was seen here/)
      for (const { ciphertext } of [first, second]) {
        await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: 'KeyUnavailable' })
      }
      await expect(generate(manager, 'orders')).rejects.toMatchObject({ code: 'KeyUnavailable' })
      const { keys } = await manager.keys.list({ limit: 10 })
      expect(keys.map(({ keyId, state }) => `${keyId} ${state}`)).toEqual(['main Enabled', 'orders Unavailable'])
      await generate(manager)
    }
    await writeFile(recordOf('orders'), good)
    manager.clearCache()
    for (const { ciphertext, plaintext } of [first, second]) {
      expect(await decrypt(manager, ciphertext)).toEqual(plaintext)
    }
  })
})

describe('a destroyed key, brought back', () => {
  it('with all its files, is shown as what it is and not used', async () => {
    const { ciphertext } = await generate(manager, 'orders')
    const kept = join(home, 'kept')
    await cp(join(keyDir, 'keys'), kept, { recursive: true })
    await destroy('orders')
    for (const name of ['orders.json', 'orders.versions']) {
      await rm(join(keyDir, 'keys', name), { recursive: true, force: true })
      await cp(join(kept, name), join(keyDir, 'keys', name), { recursive: true })
    }
    manager.clearCache()
    for (const again of [async () => {}, restart]) {
      await again()
      expect(await stateOf('orders')).toMatch(
        /^Unavailable: it was destroyed on purpose and has come back; .*delete it again/,
      )
      await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: 'KeyUnavailable' })
      await generate(manager)
    }
    await destroy('orders')
    await expect(stateOf('orders')).rejects.toMatchObject({ code: 'KeyDestroyed' })
    expect((await readdir(join(keyDir, 'keys'))).sort()).toEqual(['main.json', 'main.versions', 'orders.json'])
    await manager.keys.create({ ...asked, name: 'orders' })
    expect(await stateOf('orders')).toBe('Enabled')
    const { ciphertext: again } = await generate(manager, 'orders')
    await restart()
    await decrypt(manager, again)
  })

  it('by the removal of its tombstone, is not made again as if it had never been', async () => {
    const { ciphertext } = await generate(manager, 'orders')
    await destroy('orders')
    await unlink(recordOf('orders'))
    await restart()
    await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: 'KeyNotFound' })
    const { record } = await manager.keys.create({ ...asked, name: 'orders' })
    expect(record).toMatchObject({ state: 'Unavailable', problem: expect.stringContaining('destroyed on purpose') })
    await expect(generate(manager, 'orders')).rejects.toMatchObject({ code: 'KeyUnavailable' })
    await generate(manager)
    // The way out: the tombstone stands again, and says so of everything that was ever seen.
    await destroy('orders')
    const { record: made } = await manager.keys.create({ ...asked, name: 'orders' })
    expect(made).toMatchObject({ state: 'Enabled', currentVersion: 2 })
    await generate(manager, 'orders')
    await expect(decrypt(manager, ciphertext)).rejects.toMatchObject({ code: 'KeyMaterialReplaced' })
  })
})

describe('a whole directory, brought back from before', () => {
  it('is refused when keys of it are gone, and the service says so', async () => {
    await manager.stop(caller)
    const kept = join(home, 'kept')
    await cp(keyDir, kept, { recursive: true })
    await manager.start({ force: false }, caller)
    await manager.keys.create({ ...asked, name: 'later' })
    await manager.close()
    await rename(keyDir, join(home, 'newest'))
    await rename(kept, keyDir)
    ;({ manager } = await boot(home))
    expect(manager.status().status).toMatchObject({ Error: expect.stringContaining('key "later" version 1 is gone') })
    await rm(keyDir, { recursive: true })
    await rename(join(home, 'newest'), keyDir)
    await manager.start({ force: false }, caller)
    expect(await stateOf('later')).toBe('Enabled')
  })

  it('shows each key that was rotated since as rolled back, and serves the others', async () => {
    const before = await generate(manager, 'orders')
    await manager.stop(caller)
    const kept = join(home, 'kept')
    await cp(keyDir, kept, { recursive: true })
    await manager.start({ force: false }, caller)
    await manager.keys.rotate({ ...asked, key: 'orders' })
    await manager.close()
    await rm(keyDir, { recursive: true })
    await rename(kept, keyDir)
    ;({ manager } = await boot(home))
    expect(manager.status()).toMatchObject({
      status: 'Running',
      lastError: expect.stringContaining('known key versions'),
    })
    expect(await stateOf('orders')).toMatch(/^Unavailable: .*rolled back/)
    await expect(decrypt(manager, before.ciphertext)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    await generate(manager)
  })
})

it('an empty place where the store was is RealmMissing, and stays empty', async () => {
  await manager.close()
  await rm(keyDir, { recursive: true })
  ;({ manager } = await boot(home))
  expect(manager.status().status).toMatchObject({ Error: expect.stringContaining('nothing was created in its place') })
  await expect(readdir(keyDir)).rejects.toThrow('ENOENT')
})
