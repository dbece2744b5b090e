import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isWithin, readSecretFile } from './read-secret-file.ts'

describe('readSecretFile', () => {
  let root: string
  let dir: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'kms-secret-'))
    dir = join(root, 'secrets')
    await mkdir(dir)
  })
  afterEach(() => rm(root, { recursive: true, force: true }))

  const read = (path: string, maxBytes?: number): Promise<string> =>
    readSecretFile(path, {
      field: 'the_field',
      allowedDirs: [dir],
      hint: 'Ask.',
      ...(maxBytes === undefined ? {} : { maxBytes }),
    })

  it.each([
    ['secret', 'secret'],
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret\n\n', 'secret\n'],
    [' sp ace ', ' sp ace '],
  ])('reads %j as %j', async (content, text) => {
    await writeFile(join(dir, 'a'), content)
    expect(await read(join(dir, 'a'))).toBe(text)
  })

  it('reads no more than it may', async () => {
    await writeFile(join(dir, 'a'), 'x'.repeat(100))
    await expect(read(join(dir, 'a'), 99)).rejects.toMatchObject({ code: 'ValidationError' })
    expect((await read(join(dir, 'a'), 100)).length).toBe(100)
  })

  it('names the field and the reason for what holds no secret', async () => {
    await writeFile(join(dir, 'empty'), '\n')
    await writeFile(join(dir, 'binary'), Buffer.from([0xff, 0xfe]))
    for (const [name, reason] of [
      ['absent', 'does not exist'],
      ['empty', 'it is empty'],
      ['binary', 'not UTF-8'],
    ] as const) {
      await expect(read(join(dir, name))).rejects.toMatchObject({
        code: 'ValidationError',
        message: expect.stringMatching(new RegExp(`^the_field: .*${reason}`)),
      })
    }
  })

  it('leaves the allowed directories neither by name nor through links', async () => {
    await writeFile(join(root, 'outside'), 'x')
    await symlink(join(root, 'outside'), join(dir, 'link'))
    await symlink(dir, join(root, 'way-in'))
    await writeFile(join(dir, 'a'), 'x')
    for (const path of [
      join(root, 'outside'),
      dir,
      `${dir}x`,
      join(dir, 'link'),
      join(root, 'way-in', 'a'),
      '/etc/passwd',
    ]) {
      await expect(read(path)).rejects.toMatchObject({
        code: 'PolicyViolation',
        message: expect.stringContaining('Ask.'),
      })
    }
  })
})

it.each([
  ['/a', '/a', true],
  ['/a/b', '/a', true],
  ['/ab', '/a', false],
  ['/a', '/a/b', false],
  ['/a', '/', true],
])('isWithin(%s, %s) is %s', (path, parent, within) => {
  expect(isWithin(path, parent)).toBe(within)
})
