import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkApi } from './api-snapshot.mjs'
import { ensureInstalled } from './pnpm.mjs'
import { run, seconds, turbo } from './run.mjs'
import { root } from './workspace.mjs'

/**
 * @typedef {object} GateResult
 * @property {string} name
 * @property {boolean} ok
 * @property {number} ms
 * @property {string} output what the check printed
 */

/** @typedef {() => Promise<import('./run.mjs').Outcome>} Gate */

/** @param {string} tool @param {readonly string[]} args */
function bin(tool, args) {
  return run(join(root, 'node_modules', '.bin', tool), args)
}

/** @param {string} task @param {readonly string[]} flags */
function turboTask(task, ...flags) {
  return turbo(['run', task, '--continue', '--output-logs=errors-only', '--concurrency=2', ...flags])
}

/** @type {Gate} */
async function api() {
  const built = await turboTask('build', '--filter=./packages/*')
  if (built.code !== 0) return { code: 1, output: 'Not compared, because the build failed.' }
  const problems = checkApi()
  if (problems.length > 0) problems.push('When the change is meant: npm run api:update')
  return { code: problems.length === 0 ? 0 : 1, output: problems.join('\n') }
}

/**
 * Two lanes for two cores. What shares turbo's cache or the built packages stays in one lane.
 * @type {readonly Readonly<Record<string, Gate>>[]}
 */
const lanes = [
  {
    typecheck: () => turboTask('typecheck'),
    build: () => turboTask('build'),
    publint: () => turboTask('publint', '--filter=./packages/*'),
    api,
  },
  {
    format: () => bin('biome', ['check', '--error-on-warnings', '.']),
    lint: () => bin('oxlint', ['--type-aware', '--deny-warnings', '--report-unused-disable-directives']),
    'typecheck-tools': () => bin('tsc', ['-p', 'tools/tsconfig.json']),
    boundaries: () => bin('vitest', ['run', '--config', 'tools/vitest.tools.config.ts', 'tools/boundaries.test.ts']),
    knip: () => bin('knip', ['--no-progress', '--treat-config-hints-as-errors']),
  },
]

export const gateNames = lanes.flatMap((lane) => Object.keys(lane))

/** @param {string} name @param {Gate} gate @returns {Promise<GateResult>} */
async function runGate(name, gate) {
  const start = performance.now()
  const { code, output } = await gate().catch((error) => ({ code: 1, output: String(error?.stack ?? error) }))
  return { name, ok: code === 0, ms: performance.now() - start, output: output.trim() }
}

/**
 * Runs the gates, all or those named, and reports each as it ends.
 * @param {{ only?: readonly string[], report?: (result: GateResult) => void }} [options]
 * @returns {Promise<GateResult[]>}
 */
export async function runGates({ only = gateNames, report = printGate } = {}) {
  const runLane = async (/** @type {Readonly<Record<string, Gate>>} */ lane) => {
    /** @type {GateResult[]} */
    const results = []
    for (const [name, gate] of Object.entries(lane)) {
      if (!only.includes(name)) continue
      const result = await runGate(name, gate)
      report(result)
      results.push(result)
    }
    return results
  }
  return (await Promise.all(lanes.map(runLane))).flat()
}

/** @param {GateResult} result */
export function printGate({ name, ok, ms, output }) {
  console.log(`${ok ? 'ok  ' : 'FAIL'}  ${name.padEnd(16)} ${seconds(ms).padStart(7)}`)
  if (!ok) console.log(output.replace(/^/gm, '      '))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const only = process.argv.slice(2)
  const unknown = only.filter((name) => !gateNames.includes(name))
  if (unknown.length > 0) {
    console.error(`There is no gate called ${unknown.join(', ')}. The gates: ${gateNames.join(', ')}`)
    process.exit(1)
  }
  ensureInstalled()
  const results = await runGates(only.length > 0 ? { only } : {})
  process.exitCode = results.every(({ ok }) => ok) ? 0 : 1
}
