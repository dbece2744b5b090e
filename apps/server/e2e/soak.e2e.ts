import { expect, it } from 'vitest'
import { findOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { soakRewiring } from '../soak/rewire-soak.ts'
import { bundle } from './server-process.ts'

// The short form of `npm run soak`, which makes 200 changes and sends 10 000 bad configurations.
it('rewired 20 times under load: no request failed, none was answered wrong, every envelope opens', {
  timeout: 240_000,
}, async ({ skip }) => {
  const found = findOpenBao()
  if ('missing' in found) process.stderr.write(`between directories only: ${found.missing}\n`)
  const report = await soakRewiring({
    server: bundle,
    vaultProgram: 'program' in found ? found.program : undefined,
    reconfigurations: 20,
    badConfigurations: 500,
    clients: 4,
    seed: 20_260,
    log: () => {},
  })
  expect(report.failed).toEqual([])
  expect(report.wrong).toEqual([])
  expect(report.unopened).toEqual([])
  expect(report.badTaken).toEqual([])
  expect(report.reconfigurations).toBeGreaterThanOrEqual(20)
  expect(report.envelopes).toBeGreaterThan(200)
  expect(report.swapCount).toBeGreaterThan(50)
  if ('missing' in found) skip(`moves to Vaults were left out: ${found.missing}`)
})
