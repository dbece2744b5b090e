import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from './run.mjs'
import { scratchFolder } from './scratch.ts'
import { root } from './workspace.mjs'

const outcomes = `
import { describe, expect, it, beforeAll } from 'vitest'
it('passes', () => {})
it('fails', () => { expect(1, 'one is not two').toBe(2) })
it.skip('is switched off', () => {})
it('has a reason', ({ skip }) => skip('no Vault here'))
it.todo('is to come')
describe('a broken hook', () => {
  beforeAll(() => { throw new Error('hook broke') })
  it('never runs', () => {})
})
`

async function reportOf(files: Readonly<Record<string, string>>) {
  const parent = join(root, '.cache')
  mkdirSync(parent, { recursive: true })
  const cwd = scratchFolder(files, parent)
  const { code } = await run(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--root',
      cwd,
      `--reporter=${join(root, 'tools/test-report.mjs')}`,
    ],
    { cwd, env: { KMS_TEST_REPORT: 'deep/report.json' } },
  )
  return { code, report: JSON.parse(readFileSync(join(cwd, 'deep/report.json'), 'utf8')) as unknown }
}

describe('the test report', () => {
  it('tells every outcome apart', async () => {
    const { code, report } = await reportOf({
      'outcomes.test.js': outcomes,
      'broken.test.js': "throw new Error('cannot load')",
      'unhandled.test.js':
        "import { it } from 'vitest'\nit('passes too', async () => { void Promise.reject(new Error('nobody waits')); await new Promise(setImmediate) })",
    })
    expect(code).toBe(1)
    expect(report).toEqual({
      passed: 2,
      failed: expect.arrayContaining([
        { name: 'outcomes.test.js > fails', message: expect.stringContaining('one is not two') },
        { name: 'outcomes.test.js > a broken hook', message: 'hook broke' },
        { name: 'broken.test.js', message: 'cannot load' },
        { name: 'outside any test', message: 'nobody waits' },
      ]),
      skipped: expect.arrayContaining([
        { name: 'outcomes.test.js > is switched off', reason: 'no reason given' },
        { name: 'outcomes.test.js > has a reason', reason: 'no Vault here' },
        { name: 'outcomes.test.js > is to come', reason: 'no reason given' },
        { name: 'outcomes.test.js > a broken hook > never runs', reason: expect.any(String) },
      ]),
    })
    expect(report).toHaveProperty('failed.length', 4)
    expect(report).toHaveProperty('skipped.length', 4)
  })
})
