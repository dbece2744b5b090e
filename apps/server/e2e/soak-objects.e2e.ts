import { expect, it } from 'vitest'
import { soakObjects } from '../soak/objects-soak.ts'
import { bundle } from './server-process.ts'

// The short form of `npm run soak -- --only=objects`, which sends 1 GiB in every mode and 5 GiB at once, and kills 40 times.
it('killed in the middle of uploads, overwrites, deletes and completes: nothing acknowledged is lost, nothing else is left', {
  timeout: 240_000,
}, async () => {
  const report = await soakObjects({
    server: bundle,
    each: 1,
    largest: 2,
    streams: 2,
    kills: 4,
    flips: 3,
    seed: 20_260,
    log: () => {},
  })
  const { acknowledged, lost } = report.crashes
  expect(lost).toEqual([])
  expect(Math.min(acknowledged.put, acknowledged.delete, acknowledged.complete)).toBeGreaterThan(0)
  expect(report.flipped.wrong).toEqual([])
  expect([report.orphans, report.rude.descriptorsLeft, report.rude.filesLeft]).toEqual([0, 0, 0])
  expect(report.keyDeletion).toBe(200)
})
