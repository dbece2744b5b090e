import { Buffer } from 'node:buffer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, dataKey, type Harness } from '../../../test/manager-harness.ts'

let harness: Harness
let driver: Harness['driver']
let boot: Harness['boot']
let running: Harness['running']
let store: Harness['store']

beforeEach(async () => {
  harness = await createHarness()
  ;({ driver, boot, running, store } = harness)
})
afterEach(() => harness.close())

describe('keys', () => {
  it('are listed page by page, in order, with markers that survive', async () => {
    const manager = await running()
    for (const name of ['k3', 'k1', 'k2', 'B', 'a']) await manager.keys.create({ name, authorize: anyone, caller })
    const seen: string[] = []
    let marker: string | undefined
    do {
      const page = await manager.keys.list({ limit: 2, ...(marker === undefined ? {} : { marker }) })
      seen.push(...page.keys.map(({ keyId }) => keyId))
      marker = page.next
    } while (marker !== undefined)
    expect(seen).toEqual(['B', 'a', 'k1', 'k2', 'k3', 'master'])
    expect(await manager.keys.list({ limit: 0 })).toEqual({ keys: [], unreadable: [] })
    for (const bad of ['', 'x', '!!', Buffer.from('../a').toString('base64url')]) {
      await expect(manager.keys.list({ limit: 2, marker: bad })).rejects.toMatchObject({ code: 'ValidationError' })
    }
  })

  it('that cannot be read are named and hide no other', async () => {
    const manager = await running()
    for (const name of ['k1', 'k2']) await manager.keys.create({ name, authorize: anyone, caller })
    store('a').unreadable.add('k1')
    const page = await manager.keys.list({ limit: 10 })
    expect(page.keys.map(({ keyId }) => keyId)).toEqual(['k2', 'master'])
    expect(page.unreadable).toEqual(['k1'])
    const restarted = await boot()
    expect(restarted.status().status).toBe('Running')
    await dataKey(restarted, 'k2')
    store('a').unreadable.add('master')
    const withoutDefault = await boot()
    expect(withoutDefault.status()).toMatchObject({ status: 'Running', lastError: expect.stringContaining('"master"') })
    await dataKey(withoutDefault, 'k2')
    await expect(dataKey(withoutDefault)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('filter by state across pages', async () => {
    const manager = await running()
    for (let i = 0; i < 9; i++) await manager.keys.create({ name: `k${i}`, authorize: anyone, caller })
    const { backend } = driver.opened.at(-1) ?? expect.fail('nothing is open')
    await backend.update('k7', { state: 'Disabled' }, (await backend.describe('k7')).etag)
    const page = await manager.keys.list({ limit: 1, state: 'Disabled' })
    expect(page.keys.map(({ keyId }) => keyId)).toEqual(['k7'])
  })

  it('take a description that is a free name as an alias, and say when it is taken', async () => {
    const manager = await running()
    const first = await manager.keys.create({ description: 'rotation-2024-09', authorize: anyone, caller })
    expect(first).toMatchObject({ record: { aliases: ['rotation-2024-09'] } })
    const second = await manager.keys.create({ description: 'rotation-2024-09', authorize: anyone, caller })
    expect(second).toMatchObject({ record: { aliases: [] }, takenAlias: 'rotation-2024-09' })
    expect(
      (await manager.keys.create({ description: 'not a name', authorize: anyone, caller })).record.aliases,
    ).toEqual([])
    expect(
      (await manager.keys.create({ name: 'named', description: 'free-name', authorize: anyone, caller })).record
        .aliases,
    ).toEqual([])
  })

  it.each([
    ['a bad name', { name: 'a/b' }],
    ['a route word', { name: 'delete' }],
    ['a long description', { description: 'x'.repeat(8193) }],
    ['a description that is not Unicode', { description: '\ud800' }],
    ['51 tags', { tags: new Map(Array.from({ length: 51 }, (_, i) => [`t${i}`, ''])) }],
    ['an empty tag key', { tags: new Map([['', 'x']]) }],
    ['a long tag value', { tags: new Map([['t', 'x'.repeat(257)]]) }],
  ])('refuse %s', async (_, input) => {
    const manager = await running()
    await expect(manager.keys.create({ ...input, authorize: anyone, caller })).rejects.toMatchObject({
      code: 'ValidationError',
    })
    expect((await manager.keys.list({ limit: 10 })).keys).toHaveLength(1)
  })
})
