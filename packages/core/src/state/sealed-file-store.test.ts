import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createServerKey, type ServerKeys } from '../seal/server-key.ts'
import { createSealedFileStore } from './sealed-file-store.ts'

const keys: ServerKeys = { current: createServerKey(randomBytes(32)) }
const other = createServerKey(randomBytes(32))

interface Stored {
  readonly format: number
  readonly users: readonly { readonly name: string; readonly secret: string }[]
  readonly more?: unknown
}

let directory: string
let path: string
let recovered: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-sealed-'))
  path = join(directory, 'state', 'people.json')
  recovered = []
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function secretBinding(pointer: string, document: unknown): string | undefined {
  const index = /^\/users\/(\d+)\/secret$/.exec(pointer)?.[1]
  return index === undefined ? undefined : (document as Stored).users[Number(index)]?.name
}

function open(serverKeys: ServerKeys = keys) {
  return createSealedFileStore({
    path,
    document: 'people',
    purpose: 'iam',
    format: 1,
    what: 'the people',
    keys: serverKeys,
    random: randomBytes,
    secretBinding,
    onRecovered: (message) => recovered.push(message),
  })
}

const people: Stored = {
  format: 1,
  users: [
    { name: 'ann', secret: 'battery staple' },
    { name: 'bob', secret: 'correct horse' },
  ],
  more: { 'a/b~c': ['x', null, 3, true], empty: {}, list: [] },
}

/** Rewrites the stored JSON and its checksum, as someone with access to the disk could. */
async function rewrite(change: (stored: Record<string, never>) => unknown): Promise<void> {
  const [line = ''] = (await readFile(path, 'utf8')).split('\n')
  const changed = JSON.stringify(change(JSON.parse(line)))
  const text = `${changed}\n${createHash('sha256').update(changed).digest('hex')}\n`
  await writeFile(path, text)
  await writeFile(path.replace('.json', '.last-good.json'), text)
}

it('has nothing at first, and makes a directory of its own', async () => {
  expect(await (await open()).load()).toBeUndefined()
  expect((await stat(join(directory, 'state'))).mode & 0o777).toBe(0o700)
})

it('gives back what was saved, from another process too', async () => {
  await (await open()).save(people)
  const fewer = { ...people, users: people.users.slice(1) }
  const store = await open()
  expect(await store.load()).toEqual(people)
  await store.save(fewer)
  expect(await (await open()).load()).toEqual(fewer)
})

it('keeps the files private and the secrets, and nothing else, sealed', async () => {
  await (await open()).save(people)
  expect((await readdir(join(directory, 'state'))).sort()).toEqual(['people.json', 'people.last-good.json'])
  for (const name of ['people.json', 'people.last-good.json']) {
    const file = join(directory, 'state', name)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const text = await readFile(file, 'utf8')
    expect(text).not.toMatch(/battery|staple|correct|horse/)
    expect(text).toContain('"ann"')
    expect(text.match(/\$sealed/g)).toHaveLength(2)
  }
})

it('refuses a secret that is no text, and changes nothing', async () => {
  const store = await open()
  await store.save(people)
  const wrong = { format: 1, users: [{ name: 'ann', secret: 7 }] }
  await expect(store.save(wrong)).rejects.toThrow(TypeError)
  expect(await store.load()).toEqual(people)
})

describe('server keys', () => {
  it('the previous one opens what it sealed; the next save seals under the current one', async () => {
    await (await open()).save(people)
    const changed = await open({ current: other, previous: keys.current })
    expect(await changed.load()).toEqual(people)
    await changed.save(people)
    expect(await (await open({ current: other })).load()).toEqual(people)
  })

  it('another one is named, and nothing is taken for damaged', async () => {
    await (await open()).save(people)
    await expect((await open({ current: other })).load()).rejects.toMatchObject({
      code: 'ServerKeyMismatch',
      message: expect.stringContaining(keys.current.id),
    })
    expect(recovered).toEqual([])
  })
})

describe('damage', () => {
  it.each<[string, (file: string) => Promise<void>]>([
    ['is truncated', async (file) => writeFile(file, (await readFile(file)).subarray(0, 40))],
    ['is gone', (file) => rm(file)],
    ['has one changed byte', async (file) => writeFile(file, (await readFile(file, 'utf8')).replace('ann', 'anm'))],
  ])('the file %s: its last good copy is used, and said so', async (_, damage) => {
    await (await open()).save(people)
    await damage(path)
    expect(await (await open()).load()).toEqual(people)
    expect(recovered).toEqual([expect.stringContaining('people.last-good.json was used instead.')])
  })

  it('of both copies is an error that names the file', async () => {
    await (await open()).save(people)
    for (const name of ['people.json', 'people.last-good.json']) await writeFile(join(directory, 'state', name), 'x')
    await expect((await open()).load()).rejects.toMatchObject({
      code: 'StoreDamaged',
      message: expect.stringContaining(path),
    })
  })

  it.each<[string, (stored: { users: Stored['users'] }) => unknown]>([
    ['given to another name', ({ users: [ann, bob] }) => ({ format: 1, users: [{ ...ann, name: 'eve' }, bob] })],
    [
      'exchanged',
      ({ users: [ann, bob] }) => ({
        format: 1,
        users: [
          { ...ann, secret: bob?.secret },
          { ...bob, secret: ann?.secret },
        ],
      }),
    ],
    ['moved to another place', ({ users: [ann, bob] }) => ({ format: 1, users: [bob, ann] })],
    ['in the clear', ({ users: [ann] }) => ({ format: 1, users: [{ ...ann, secret: 'chosen by me' }] })],
    ['where none belongs', ({ users: [ann] }) => ({ format: 1, users: [], more: ann?.secret })],
  ])('a secret that is %s is refused', async (_, change) => {
    await (await open()).save(people)
    await rewrite(change as never)
    await expect((await open()).load()).rejects.toMatchObject({ code: 'StoreDamaged' })
  })

  it.each([[null], [[]], ['text'], [{}], [{ format: 'one' }]])('%j is no document', async (value) => {
    await (await open()).save(people)
    await rewrite(() => value)
    await expect((await open()).load()).rejects.toMatchObject({ code: 'StoreDamaged' })
  })
})

it('names a newer format, whatever else it holds', async () => {
  await (await open()).save(people)
  await rewrite(() => ({ format: 2, anything: { $sealed: 'else' } }))
  await expect((await open()).load()).rejects.toMatchObject({ code: 'NewerFormat' })
})

it('says what could not be written, and keeps the copy', async () => {
  const store = await open()
  await store.save(people)
  await rm(path)
  await mkdir(path)
  await expect(store.save({ format: 1 })).rejects.toMatchObject({ code: 'StorageFailed' })
  await rm(path, { recursive: true })
  expect(await store.load()).toEqual(people)
})
