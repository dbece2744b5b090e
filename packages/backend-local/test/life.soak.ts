import { expect, it } from 'vitest'
import { liveThrough } from './lives.ts'

const ROUNDS = Number(process.env['SOAK_ROUNDS'] ?? 200)

// The short form is lives.test.ts.
it(`${ROUNDS} rounds of servers of one store, killed at any moment: nothing acknowledged is lost, and what is due happens once`, async () => {
  const { envelopes, counts } = await liveThrough(ROUNDS, (message) => console.log(message))
  console.log(`${envelopes} envelopes; ${[...counts].map(([what, n]) => `${what}: ${n}`).join(', ')}`)
  expect(counts.get('died after it happened')).toBeGreaterThan(0)
  expect(counts.get('died before it happened')).toBeGreaterThan(0)
  expect(counts.get('destroyed by a worker')).toBeGreaterThan(0)
})
