import { expect, it } from 'vitest'
import { liveThrough } from './lives.ts'

// The short form of life.soak.ts.
it('servers of one store, killed at any moment: nothing acknowledged is lost, and what is due happens once', async () => {
  const { envelopes, counts } = await liveThrough(4)
  expect(envelopes).toBeGreaterThan(0)
  expect(counts.get('acknowledged')).toBeGreaterThan(0)
}, 120_000)
