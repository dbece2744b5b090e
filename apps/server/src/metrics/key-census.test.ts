import type { KeyListing, KeyRecord } from '@kms/core'
import { createManualClock } from '@kms/core/testing'
import { expect, it } from 'vitest'
import { createKeyCensus } from './key-census.ts'

const DAY = 86_400_000
const key = (keyId: string, more: Partial<KeyRecord>): KeyRecord => ({ keyId, state: 'Enabled', ...more }) as KeyRecord

function setUp(first: KeyListing) {
  const clock = createManualClock(100 * DAY)
  const asked: number[] = []
  const state = { listing: first as KeyListing | Error }
  const census = createKeyCensus({
    clock,
    list(limit) {
      asked.push(limit)
      return state.listing instanceof Error ? Promise.reject(state.listing) : Promise.resolve(state.listing)
    },
  })
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return { clock, asked, state, census, settled }
}

it('counts by state, and finds the enabled key that was not rotated for longest', async () => {
  const { census, settled } = setUp({
    keys: [
      key('a', { createdAt: 10 * DAY, rotatedAt: 90 * DAY }),
      key('b', { createdAt: 70 * DAY }),
      key('c', { createdAt: 1 * DAY, state: 'Disabled' }),
      key('d', { createdAt: 1 * DAY, state: 'PendingDeletion' }),
    ],
    unreadable: ['e'],
    next: 'more',
  })
  expect(census.counts()).toBeUndefined()
  await settled()
  expect(census.counts()).toEqual({
    byState: new Map([
      ['Enabled', 2],
      ['Disabled', 1],
      ['PendingDeletion', 1],
      ['Unavailable', 0],
      ['Unreadable', 1],
    ]),
    truncated: true,
    oldestRotationSeconds: (30 * DAY) / 1000,
  })
})

it('asks at most every five minutes, and never waits', async () => {
  const { census, clock, asked, settled } = setUp({ keys: [], unreadable: [] })
  for (let i = 0; i < 5; i++) {
    census.counts()
    await settled()
  }
  expect(asked).toEqual([1000])
  expect(census.counts()).toMatchObject({ truncated: false, oldestRotationSeconds: undefined })
  clock.advance(299_999)
  census.counts()
  expect(asked).toHaveLength(1)
  clock.advance(1)
  census.counts()
  expect(asked).toHaveLength(2)
})

it('has nothing to tell while keys cannot be listed', async () => {
  const { census, clock, state, settled } = setUp({ keys: [key('a', { createdAt: 0 })], unreadable: [] })
  census.counts()
  await settled()
  state.listing = new Error('not running')
  clock.advance(300_000)
  census.counts()
  await settled()
  expect(census.counts()).toBeUndefined()
})
