import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { setUpIam } from '../test/iam-fixture.ts'
import { createCredentialStore } from './credential-store.ts'

const ann = { accessKeyId: 'ann', secretAccessKey: 'ann-secret' }

describe('createCredentialStore', () => {
  it('finds root, users of the file and users of the API', async () => {
    const { credentials, directory, disk, file } = await setUpIam()
    disk.users = [{ accessKey: 'filed', secretKey: 'filed-secret' }]
    await file.reload()
    await directory.addUser({ ...ann, policies: ['readonly'] })
    const found = (name: string) => credentials.find(name)
    expect(found('root')).toMatchObject({ principal: { kind: 'root', name: 'root', policies: [] } })
    expect(found('filed')).toMatchObject({ principal: { kind: 'user', name: 'filed', accessKeyId: 'filed' } })
    expect(found('ann')).toMatchObject({ principal: { kind: 'user', name: 'ann' } })
    expect((await found('filed'))?.secretAccessKey).toBe('filed-secret')
    expect((await found('ann'))?.principal.policies).toHaveLength(1)
  })

  it.each(['', 'nobody', 'Ann', 'ann ', '__proto__', 'constructor', 'ASIAAAAAAAAAAAAAAAAA'])(
    'does not find %j',
    async (name) => {
      const { credentials, directory } = await setUpIam()
      await directory.addUser(ann)
      expect(credentials.find(name)).toBeUndefined()
      expect(credentials.account(name)).toBeUndefined()
    },
  )

  it('does not find who is disabled, here or in the file, whoever else has the name', async () => {
    const { credentials, directory, disk, file } = await setUpIam()
    await directory.addUser(ann)
    await directory.addUser({ ...ann, accessKeyId: 'bob' })
    await directory.setUserStatus('bob', 'disabled')
    expect(credentials.find('bob')).toBeUndefined()
    expect(credentials.account('bob')).toMatchObject({ status: 'disabled' })
    disk.users = [{ accessKey: 'ann', secretKey: 'file-secret', status: 'disabled' }]
    await file.reload()
    expect(credentials.find('ann')).toBeUndefined()
    disk.users = [{ accessKey: 'ann', secretKey: 'file-secret' }]
    await file.reload()
    expect((await credentials.find('ann'))?.secretAccessKey).toBe('file-secret')
    disk.users = []
    await file.reload()
    expect((await credentials.find('ann'))?.secretAccessKey).toBe('ann-secret')
  })

  it('answers at once with the same object until something changes', async () => {
    const { credentials, directory } = await setUpIam()
    await directory.addUser(ann)
    const first = credentials.find('ann')
    expect(first).not.toBeInstanceOf(Promise)
    expect(credentials.find('ann')).toBe(first)
    await directory.setUserPolicies('ann', ['readonly'])
    expect(credentials.find('ann')).not.toBe(first)
    expect(credentials.find('root')).toBe(credentials.find('root'))
  })

  it('shows no secret to who does not ask for it by name', async () => {
    const { credentials, directory, disk, file } = await setUpIam()
    await directory.addUser(ann)
    disk.users = [{ accessKey: 'filed', secretKey: 'filed-secret' }]
    await file.reload()
    for (const name of ['root', 'ann', 'filed']) {
      const shown = [credentials.find(name), credentials.account(name)]
      expect(JSON.stringify(shown) + inspect(shown, { showHidden: true, getters: true, depth: 9 })).not.toContain(
        '-secret',
      )
    }
  })

  it('works without a file, and takes a principal as unchangeable', async () => {
    const { directory, sessions } = await setUpIam()
    await directory.addUser(ann)
    const root = { accessKeyId: 'root', secretAccessKey: 'root-secret' }
    const credentials = createCredentialStore({ root, directory, sessions })
    const found = (await credentials.find('ann')) ?? expect.fail()
    expect(() => Object.assign(found.principal, { kind: 'root' })).toThrow(TypeError)
    expect(() => (found.principal.policies as unknown[]).push(1)).toThrow(TypeError)
    root.secretAccessKey = 'other'
    expect((await credentials.find('root'))?.secretAccessKey).toBe('root-secret')
  })

  it('takes no root that breaks the rules', async () => {
    const { directory, sessions } = await setUpIam()
    const root = { accessKeyId: 'root', secretAccessKey: 'short' }
    expect(() => createCredentialStore({ root, directory, sessions })).toThrow(
      expect.objectContaining({ code: 'InvalidCredentials' }),
    )
  })
})
