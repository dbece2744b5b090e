import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, createHarness, dataKey, type Harness, local } from '../../../test/manager-harness.ts'
import { kmsError } from '../../errors/kms-error.ts'

let harness: Harness

beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

describe('admission', () => {
  it('names the store, the key and the version a wrap would get', async () => {
    const manager = await harness.running()
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    const admitted = { realm: backend.realm, keyId: 'master', keyVersion: 1 }
    expect(await manager.data.admitWrap({ authorize: anyone })).toEqual(admitted)
    const { ciphertext } = await dataKey(manager)
    await backend.rotate('master', (await backend.describe('master')).etag)
    harness.clock.advance(5000)
    expect(await manager.data.admitWrap({ key: 'alias/master', authorize: anyone }).catch((e) => e)).toMatchObject({
      code: 'KeyNotFound',
    })
    expect(await manager.data.admitWrap({ key: 'master', authorize: anyone })).toEqual({ ...admitted, keyVersion: 2 })
    expect(await manager.data.admitUnwrap({ ciphertext, authorize: anyone })).toEqual(admitted)
  })

  it('neither wraps nor unwraps', async () => {
    const manager = await harness.running()
    const { ciphertext } = await dataKey(manager)
    harness.store('a').faults.fail('wrap', kmsError('BackendTimeout', { seconds: 1 }))
    harness.store('a').faults.fail('unwrap', kmsError('BackendTimeout', { seconds: 1 }))
    await expect(manager.data.admitWrap({ authorize: anyone })).resolves.toMatchObject({ keyId: 'master' })
    await expect(manager.data.admitUnwrap({ ciphertext, authorize: anyone })).resolves.toMatchObject({
      keyId: 'master',
    })
  })

  it('asks for permission on the resolved id, before anything is revealed', async () => {
    const manager = await harness.running()
    const { ciphertext } = await dataKey(manager)
    const asked: string[] = []
    const authorize = (keyId: string) => {
      asked.push(keyId)
      throw kmsError('AccessDenied', { reason: 'no' })
    }
    const refused = { code: 'AccessDenied' }
    await expect(manager.data.admitWrap({ authorize })).rejects.toMatchObject(refused)
    await expect(manager.data.admitWrap({ key: 'absent', authorize })).rejects.toMatchObject(refused)
    await expect(manager.data.admitUnwrap({ ciphertext, authorize })).rejects.toMatchObject(refused)
    await manager.stop({ principal: 'root', address: '127.0.0.1', requestId: 'r' })
    await expect(manager.data.admitUnwrap({ ciphertext, authorize })).rejects.toMatchObject(refused)
    expect(asked).toEqual(['master', 'absent', 'master', 'master'])
  })

  it.each([
    ['Disabled', 'KeyDisabled', undefined],
    ['PendingDeletion', 'KeyPendingDeletion', 'KeyPendingDeletion'],
  ] as const)('follows the state %s within 5 s', async (state, wrapCode, unwrapCode) => {
    const manager = await harness.running(local)
    const { ciphertext } = await dataKey(manager)
    const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.update('master', { state }, (await backend.describe('master')).etag)
    harness.clock.advance(5000)
    await expect(manager.data.admitWrap({ authorize: anyone })).rejects.toMatchObject({ code: wrapCode })
    const unwrap = manager.data.admitUnwrap({ ciphertext, authorize: anyone })
    if (unwrapCode === undefined) await unwrap
    else await expect(unwrap).rejects.toMatchObject({ code: unwrapCode })
  })
})
