import { existsSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import util from 'node:util'
import { printGate, runGates } from './gates.mjs'
import { ensureNodeLine } from './node-line.mjs'
import { ensureInstalled, requireNode } from './pnpm.mjs'
import { run, seconds, turbo } from './run.mjs'
import { failure, readReport, sum, verdict, withExitCode } from './tally.mjs'
import { listPackages, root } from './workspace.mjs'

/** @typedef {import('./tally.mjs').Tally} Tally */
/** @typedef {import('./workspace.mjs').WorkspacePackage} WorkspacePackage */

const usage = `npm test -- [--only=gates|unit|e2e|matrix] [--package=<folder>] [--node=22|24]

  --only      one part instead of all four
  --package   the suites of one package or app only, or of the tools (the gates always look at the whole workspace)
  --node      one release line only (of the matrix)`

const parts = ['gates', 'unit', 'e2e', 'matrix']
const nodeLines = ['22', '24']
const inCi = !['', '0', 'false', undefined].includes(process.env['CI'])

/** The end-to-end suite and the part of it that also runs on the other Node lines. */
const e2eConfig = ['--config', 'vitest.e2e.config.ts']
const playbook = [...e2eConfig, 'e2e/playbook.e2e.ts']

/** @param {string} name @param {Tally} tally @param {number} ms @param {string} [output] shown when something failed */
function printStep(name, tally, ms, output = '') {
  const { line } = verdict(tally)
  console.log(`${tally.failed.length === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(28)} ${seconds(ms).padStart(7)}  ${line}`)
  if (tally.failed.length > 0 && output !== '') console.log(output.trim().replace(/^/gm, '      '))
}

/**
 * One vitest run, with the report it leaves.
 * @param {string} name
 * @param {{ cwd: string, args?: readonly string[], report: string, bin?: string }} options `bin`: the folder of another `node`
 * @returns {Promise<Tally>}
 */
async function vitest(name, { cwd, args = [], report, bin = dirname(process.execPath) }) {
  const file = join(cwd, '.cache', 'reports', `${report}.json`)
  rmSync(file, { force: true })
  const start = performance.now()
  const reporters = ['--reporter=default', `--reporter=${join(root, 'tools', 'test-report.mjs')}`]
  const { code, output } = await run(
    join(bin, 'node'),
    [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...reporters, ...args],
    { cwd, env: { KMS_TEST_REPORT: file, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` } },
  )
  const tally = withExitCode(readReport(name, file), name, code)
  printStep(name, tally, performance.now() - start, output)
  return tally
}

/** @returns {Promise<Tally>} */
async function gates() {
  const results = await runGates({ report: printGate })
  return {
    passed: results.filter(({ ok }) => ok).length,
    failed: results
      .filter(({ ok }) => !ok)
      .map(({ name }) => ({ name: `gate ${name}`, message: 'see its output above' })),
    skipped: [],
  }
}

/**
 * Every package's own suite. One package at a time: each vitest uses all cores by itself.
 * @param {readonly WorkspacePackage[]} packages
 * @returns {Promise<Tally>}
 */
async function unitOfPackages(packages) {
  const report = join('.cache', 'reports', 'unit.json')
  for (const { dir } of packages) rmSync(join(dir, report), { force: true })
  const start = performance.now()
  const filters = packages.map(({ manifest }) => `--filter=${manifest.name}`)
  // Forced: what this command counts as passed has run now, not at some earlier time.
  const flags = ['--force', '--continue', '--concurrency=1', '--output-logs=errors-only', ...filters]
  const { code, output } = await turbo(['run', 'test', ...flags], { env: { KMS_TEST_REPORT: report } })
  const tallies = packages.map(({ id, dir }) => {
    const tally = readReport(`unit ${id}`, join(dir, report))
    console.log(`      ${`unit ${id}`.padEnd(36)}  ${verdict(tally).line}`)
    return tally
  })
  const total = withExitCode(sum(tallies), 'unit', code)
  printStep('unit', total, performance.now() - start, output)
  return total
}

/** @param {readonly WorkspacePackage[]} packages @param {boolean} withTools @returns {Promise<Tally>} */
async function unit(packages, withTools) {
  const args = ['--config', 'tools/vitest.tools.config.ts', '--exclude', 'tools/boundaries.test.ts']
  const tools = withTools ? [await vitest('unit tools', { cwd: root, args, report: 'tools' })] : []
  const tested = packages.filter(({ manifest }) => manifest.scripts?.['test'])
  return sum([...tools, tested.length === 0 ? sum([]) : await unitOfPackages(tested)])
}

/** @param {readonly WorkspacePackage[]} packages */
function withE2e(packages) {
  return packages.filter(({ manifest }) => manifest.scripts?.['test:e2e'])
}

/**
 * Builds what the end-to-end suites start. A build that works is a gate, not a test: it counts nothing.
 * @param {readonly WorkspacePackage[]} suites
 * @returns {Promise<Tally>}
 */
async function build(suites) {
  if (suites.length === 0) return sum([])
  const start = performance.now()
  const filters = suites.map(({ manifest }) => `--filter=${manifest.name}`)
  const { code, output } = await turbo(['run', 'build', '--output-logs=errors-only', ...filters])
  if (code === 0) return sum([])
  const tally = failure('build for e2e', 'see its output above')
  printStep('build for e2e', tally, performance.now() - start, output)
  return tally
}

/** @param {readonly WorkspacePackage[]} packages @returns {Promise<Tally>} */
async function e2e(packages) {
  const suites = withE2e(packages)
  const tallies = [await build(suites)]
  for (const { id, dir } of suites) {
    tallies.push(await vitest(`e2e ${id}`, { cwd: dir, args: e2eConfig, report: 'e2e' }))
  }
  return sum(tallies)
}

/** @param {readonly WorkspacePackage[]} packages @param {string} line @returns {Promise<Tally>} */
async function nodeLine(packages, line) {
  const found = await ensureNodeLine(line)
  if ('problem' in found) {
    const name = `Node ${line}`
    if (inCi) return failure(name, found.problem)
    console.log(`skip  ${name}: ${found.problem}`)
    return { passed: 0, failed: [], skipped: [{ name, reason: found.problem }] }
  }
  const { bin, version } = found
  const tallies = []
  for (const { id, dir, manifest } of packages) {
    if (manifest.scripts?.['test'] === undefined) continue
    tallies.push(await vitest(`unit ${id} on ${version}`, { cwd: dir, report: `unit-node-${line}`, bin }))
  }
  for (const { id, dir } of withE2e(packages)) {
    if (!existsSync(join(dir, 'e2e', 'playbook.e2e.ts'))) continue
    tallies.push(
      await vitest(`playbook ${id} on ${version}`, { cwd: dir, args: playbook, report: `e2e-node-${line}`, bin }),
    )
  }
  return sum(tallies)
}

/** @param {readonly WorkspacePackage[]} packages @param {readonly string[]} lines @returns {Promise<Tally>} */
async function matrix(packages, lines) {
  const tallies = [await build(withE2e(packages))]
  for (const line of lines) tallies.push(await nodeLine(packages, line))
  return sum(tallies)
}

/** @param {Tally} total */
function printSummary(total) {
  if (total.skipped.length > 0) {
    console.log('\nSkipped:')
    for (const { name, reason } of total.skipped) console.log(`  ${name} (${reason})`)
  }
  if (total.failed.length > 0) {
    console.log('\nFailed:')
    for (const { name, message } of total.failed) console.log(`  ${name}: ${message.split('\n')[0]}`)
  }
}

/** @param {string} message @returns {never} */
function refuse(message) {
  console.error(`${message}\n\n${usage}`)
  process.exit(2)
}

function parseOptions() {
  try {
    return util.parseArgs({
      options: {
        only: { type: 'string' },
        package: { type: 'string' },
        node: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function readOptions() {
  const values = parseOptions()
  if (values.help) {
    console.log(usage)
    process.exit(0)
  }
  if (values.only !== undefined && !parts.includes(values.only)) refuse(`There is no part called ${values.only}.`)
  if (values.node !== undefined && !nodeLines.includes(values.node)) refuse(`Node ${values.node} is not in the matrix.`)
  const wanted = (/** @type {string} */ id) => values.package === undefined || values.package === id
  const packages = listPackages().filter(({ id }) => wanted(id))
  const withTools = wanted('tools')
  if (packages.length === 0 && !withTools) refuse(`There is no package called ${values.package}.`)
  return { only: values.only, packages, withTools, lines: values.node ? [values.node] : nodeLines }
}

async function main() {
  requireNode()
  const { only, packages, withTools, lines } = readOptions()
  // Whatever ends this process, the last line is a count, and not one that could be taken for a success.
  let lastLine = '0 passed, 1 failed'
  process.on('exit', () => console.log(lastLine))
  ensureInstalled()
  const start = performance.now()
  const steps = {
    gates,
    unit: () => unit(packages, withTools),
    e2e: () => e2e(packages),
    matrix: () => matrix(packages, lines),
  }
  const tallies = []
  for (const [name, step] of Object.entries(steps)) {
    if (only !== undefined && only !== name) continue
    tallies.push(await step().catch((error) => failure(name, String(error?.stack ?? error))))
  }
  const total = sum(tallies)
  printSummary(total)
  const { line, ok } = verdict(total)
  console.log(`\nIn ${seconds(performance.now() - start)}.`)
  lastLine = line
  process.exitCode = ok ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
