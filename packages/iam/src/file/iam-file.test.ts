import { describe, expect, it } from 'vitest'
import type { IamError } from '../iam-error.ts'
import { createIamFile } from './iam-file.ts'

const T0 = 1_767_323_045_678
const ann = { accessKey: 'ann', secretKey: 'ann-secret' }
const bob = { accessKey: 'bob', secretKey: 'bob-secret' }
const text = (...users: readonly object[]) => JSON.stringify({ format: 1, users })

async function setUp(first: string) {
  const disk: { text: string; error?: Error } = { text: first }
  const problems: IamError[] = []
  const clock = { time: T0 }
  const file = await createIamFile({
    read: async () => {
      if (disk.error) throw disk.error
      return disk.text
    },
    rootAccessKeyId: 'root',
    onProblem: (problem) => problems.push(problem),
    now: () => clock.time,
  })
  return { disk, problems, clock, file }
}

describe('at the start', () => {
  it('a good file is taken', async () => {
    const { file } = await setUp(text(ann, { ...bob, status: 'disabled', policies: ['readonly'] }))
    expect(file.account('ann')).toMatchObject({ status: 'enabled', changedAt: 0 })
    expect(file.account('ann')?.credential.secretAccessKey).toBe('ann-secret')
    expect(file.account('bob')).toMatchObject({ status: 'disabled' })
    expect(file.account('bob')?.credential.principal).toMatchObject({ kind: 'user', name: 'bob', accessKeyId: 'bob' })
    expect(file.account('bob')?.credential.principal.policies).toHaveLength(1)
    expect(file.account('constructor')).toBeUndefined()
  })

  it('a bad one, or none, is an error', async () => {
    await expect(setUp('{')).rejects.toMatchObject({ code: 'InvalidIamFile' })
    const read = () => Promise.reject(new Error('gone'))
    await expect(createIamFile({ read, rootAccessKeyId: 'root' })).rejects.toThrow('gone')
  })
})

describe('a reload', () => {
  it('takes what is new', async () => {
    const { disk, clock, file } = await setUp(text(ann, bob))
    clock.time += 1000
    disk.text = text({ ...ann, secretKey: 'another-secret' }, { accessKey: 'new', secretKey: 'new-secret' })
    expect(await file.reload()).toBe('reloaded')
    expect(file.account('ann')?.credential.secretAccessKey).toBe('another-secret')
    expect(file.account('bob')).toBeUndefined()
    expect([...file.users.keys()]).toEqual(['ann', 'new'])
    expect(file.account('new')).toMatchObject({ changedAt: T0 + 1000 })
  })

  it.each<[string, object, boolean]>([
    ['the secret', { secretKey: 'another-secret' }, true],
    ['the status', { status: 'disabled' }, true],
    ['the policies', { policies: ['readonly'] }, false],
    ['nothing of this user', {}, false],
  ])('that changes %s dates the change', async (_name, part, dated) => {
    const { disk, file } = await setUp(text(ann))
    disk.text = text({ ...ann, ...part }, bob)
    await file.reload()
    expect(file.account('ann')?.changedAt).toBe(dated ? T0 : 0)
  })

  it('dates later changes later, though the clock goes back, and remembers earlier ones', async () => {
    const { disk, clock, file } = await setUp(text(ann))
    disk.text = text(ann, bob)
    await file.reload()
    clock.time -= 5000
    disk.text = text({ ...ann, status: 'disabled' }, bob)
    await file.reload()
    expect(file.account('bob')?.changedAt).toBe(T0)
    expect(file.account('ann')?.changedAt).toBe(T0 + 1)
  })

  it('of the same text changes nothing', async () => {
    const { file } = await setUp(text(ann))
    const { revision } = file
    const account = file.account('ann')
    expect(await file.reload()).toBe('unchanged')
    expect(file.revision).toBe(revision)
    expect(file.account('ann')).toBe(account)
  })

  it('of a bad file keeps the last good content and says why, once', async () => {
    const { disk, problems, file } = await setUp(text(ann))
    const { revision } = file
    const account = file.account('ann')
    const attempts: [string, string][] = [
      ['{', 'InvalidIamFile'],
      ['', 'InvalidIamFile'],
      [text(ann, ann), 'InvalidIamFile'],
      ['{"format":2}', 'UnsupportedFormat'],
    ]
    for (const [bad] of attempts) {
      disk.text = bad
      expect(await file.reload()).toBe('kept')
      expect(await file.reload()).toBe('kept')
    }
    disk.error = Object.assign(new Error('ENOENT: /secret/path'), { code: 'ENOENT' })
    expect(await file.reload()).toBe('kept')
    disk.error = new Error('odd')
    expect(await file.reload()).toBe('kept')
    expect(problems.map(({ code }) => code)).toEqual([
      'InvalidIamFile',
      'InvalidIamFile',
      'UnsupportedFormat',
      'InvalidIamFile',
      'InvalidIamFile',
    ])
    expect(problems.slice(-2).map(({ message }) => message)).toEqual([
      "The file of users can't be read (ENOENT).",
      "The file of users can't be read.",
    ])
    expect(file.revision).toBe(revision)
    expect(file.account('ann')).toBe(account)
  })

  it('reports a problem anew after the file was good, and recovers', async () => {
    const { disk, problems, file } = await setUp(text(ann))
    for (const good of [text(ann), text(bob)]) {
      disk.text = '{'
      await file.reload()
      disk.text = good
      await file.reload()
    }
    expect(problems).toHaveLength(2)
    expect([...file.users.keys()]).toEqual(['bob'])
  })

  it('waits for the one before', async () => {
    const waiting: ((text: string) => void)[] = []
    let first = true
    const read = () => {
      if (!first) return new Promise<string>((resolve) => waiting.push(resolve))
      first = false
      return Promise.resolve(text(ann))
    }
    const file = await createIamFile({ read, rootAccessKeyId: 'root' })
    const settle = async (content: string) => {
      await new Promise((resolve) => setImmediate(resolve))
      expect(waiting).toHaveLength(1)
      waiting.pop()?.(content)
    }
    const reloads = [file.reload(), file.reload()]
    await settle(text(bob))
    await settle(text(ann, bob))
    expect(await Promise.all(reloads)).toEqual(['reloaded', 'reloaded'])
    expect([...file.users.keys()]).toEqual(['ann', 'bob'])
  })
})
