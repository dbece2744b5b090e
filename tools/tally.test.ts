import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scratchFolder } from './scratch.ts'
import { failure, readReport, sum, verdict, withExitCode } from './tally.mjs'

const good = { passed: 2, failed: [], skipped: [] }

function read(content: string) {
  return readReport('unit iam', join(scratchFolder({ 'report.json': content }), 'report.json'))
}

describe('readReport', () => {
  it('puts the run before the names', () => {
    const report = {
      passed: 2,
      failed: [{ name: 'a.test.ts > a', message: 'no' }],
      skipped: [{ name: 'a.test.ts > b', reason: 'no Vault' }],
    }
    expect(read(JSON.stringify(report))).toEqual({
      passed: 2,
      failed: [{ name: 'unit iam: a.test.ts > a', message: 'no' }],
      skipped: [{ name: 'unit iam: a.test.ts > b', reason: 'no Vault' }],
    })
  })

  it('counts a run without a report, or with half of one, as a failure', () => {
    const lost = failure('unit iam', 'ended without a report')
    expect(readReport('unit iam', '/nowhere/report.json')).toEqual(lost)
    expect(read('{"passed": 2')).toEqual(lost)
  })

  it('counts a run without tests as a failure', () => {
    expect(read('{"passed":0,"failed":[],"skipped":[]}')).toEqual(failure('unit iam', 'ran no tests'))
  })
})

describe('withExitCode', () => {
  it('adds a failure only when none explains the code', () => {
    expect(withExitCode(good, 'unit', 0)).toEqual(good)
    expect(withExitCode(good, 'unit', 1).failed).toHaveLength(1)
    expect(withExitCode(good, 'unit', 1).passed).toBe(2)
    expect(withExitCode(failure('a', 'b'), 'unit', 1).failed).toHaveLength(1)
  })
})

describe('verdict', () => {
  const skip = { name: 'a', reason: 'b' }
  it.each([
    [good, '2 passed, 0 failed', true],
    [sum([good, failure('a', 'b')]), '2 passed, 1 failed', false],
    [{ ...good, skipped: [skip] }, '2 passed, 0 failed, 1 skipped', true],
    [sum([]), '0 passed, 0 failed', false],
    [{ ...sum([]), skipped: [skip] }, '0 passed, 0 failed, 1 skipped', false],
  ])('%#', (tally, line, ok) => {
    expect(verdict(tally)).toEqual({ line, ok })
  })
})
