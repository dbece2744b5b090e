import { Buffer } from 'node:buffer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyone, caller, createHarness, type Harness } from '../../../test/manager-harness.ts'
import type { KeyState } from '../../keys/key-backend.ts'
import type { KmsManager } from '../manager-types.ts'

let harness: Harness
let manager: KmsManager

beforeEach(async () => {
  harness = await createHarness()
  manager = await harness.running({ backend_type: 'memory', name: 'a' })
})
afterEach(() => harness.close())

async function make(...names: readonly string[]): Promise<void> {
  for (const name of names) await manager.keys.create({ name, authorize: anyone, caller })
}

async function destroy(name: string): Promise<void> {
  const { backend } = harness.driver.opened.at(-1) ?? expect.fail('nothing is open')
  await backend.destroy(name, (await backend.describe(name)).etag)
}

/** All pages from `marker` on. */
async function pages(limit: number, state?: KeyState, marker?: string): Promise<string[][]> {
  const read: string[][] = []
  let next = marker
  do {
    const page = await manager.keys.list({
      limit,
      ...(next === undefined ? {} : { marker: next }),
      ...(state === undefined ? {} : { state }),
    })
    expect(page.keys.length + page.unreadable.length).toBeLessThanOrEqual(limit)
    read.push([...page.keys.map(({ keyId }) => keyId), ...page.unreadable.map((id) => `${id}?`)])
    next = page.next
  } while (next !== undefined && read.length < 50)
  return read
}

describe('a listing', () => {
  it('goes on where it was, whatever was deleted or made in between', async () => {
    await make('a', 'b', 'c', 'd', 'e', 'f')
    const { keys, next } = await manager.keys.list({ limit: 3 })
    expect(keys.map(({ keyId }) => keyId)).toEqual(['a', 'b', 'c'])
    for (const name of ['a', 'c', 'd']) await destroy(name)
    await make('bb', 'dd')
    expect(await pages(10, undefined, next)).toEqual([['dd', 'e', 'f']])
    for (const name of ['dd', 'e', 'f']) await destroy(name)
    expect(await pages(10, undefined, next)).toEqual([[]])
  })

  it('counts what cannot be read as part of a page, in its place', async () => {
    await make('a', 'b', 'c', 'd', 'e')
    for (const name of ['b', 'c']) harness.store('a').unreadable.add(name)
    expect(await pages(2)).toEqual([['a', 'b?'], ['d', 'c?'], ['e']])
    expect(await pages(1)).toEqual([['a'], ['b?'], ['c?'], ['d'], ['e']])
    expect(await pages(5)).toEqual([['a', 'd', 'e', 'b?', 'c?']])
  })

  it('takes markers of records whose names cannot be told any more', async () => {
    await make('a')
    const marker = Buffer.from('legacy~1432897a6136de54').toString('base64url')
    expect(await pages(10, undefined, marker)).toEqual([[]])
  })

  it('with a filter shows what passes, and what cannot be read', async () => {
    await make(...Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, '0')}`))
    for (const name of ['k03', 'k07', 'k12', 'k19']) {
      await manager.keys.disable({ key: name, authorize: anyone, caller })
    }
    harness.store('a').unreadable.add('k05')
    expect((await pages(2, 'Disabled')).flat()).toEqual(['k03', 'k05?', 'k07', 'k12', 'k19'])
    expect((await pages(100, 'Disabled')).flat()).toEqual(['k03', 'k07', 'k12', 'k19', 'k05?'])
    expect((await pages(100, 'PendingDeletion')).flat()).toEqual(['k05?'])
  })

  it('with a filter reads a bounded part of the store for one page', async () => {
    const { keys } = harness.store('a')
    await make('template')
    const template = keys.get('template')
    if (template === undefined || !('record' in template)) return expect.fail('no template')
    for (let i = 0; i < 12_000; i++) {
      const keyId = `k${String(i).padStart(5, '0')}`
      keys.set(keyId, { ...template, record: { ...template.record, keyId } })
    }
    await manager.keys.disable({ key: 'k11999', authorize: anyone, caller })
    const first = await manager.keys.list({ limit: 10, state: 'Disabled' })
    expect(first.keys).toEqual([])
    expect(first.next).toBeDefined()
    expect((await pages(10, 'Disabled', first.next)).flat()).toEqual(['k11999'])
    expect(harness.driver.opened.at(-1)?.backend.calls('list')).toBeLessThan(60)
  })
})
