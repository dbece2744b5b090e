import { readFileSync } from 'node:fs'

/**
 * What one step of `npm test` came to.
 * @typedef {object} Tally
 * @property {number} passed
 * @property {{ name: string, message: string }[]} failed
 * @property {{ name: string, reason: string }[]} skipped
 */

/** @param {string} name @param {string} message @returns {Tally} */
export function failure(name, message) {
  return { passed: 0, failed: [{ name, message }], skipped: [] }
}

/** @param {readonly Tally[]} tallies @returns {Tally} */
export function sum(tallies) {
  return {
    passed: tallies.reduce((total, { passed }) => total + passed, 0),
    failed: tallies.flatMap(({ failed }) => failed),
    skipped: tallies.flatMap(({ skipped }) => skipped),
  }
}

/**
 * Reads the report a vitest run left. A run that left none, or that ran nothing, counts as one failure.
 * @param {string} name of the run, put before the names of its tests
 * @param {string} file
 * @returns {Tally}
 */
export function readReport(name, file) {
  /** @type {import('./test-report.mjs').TestReport} */
  let report
  try {
    report = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return failure(name, 'ended without a report')
  }
  const tally = {
    passed: report.passed,
    failed: report.failed.map((entry) => ({ ...entry, name: `${name}: ${entry.name}` })),
    skipped: report.skipped.map((entry) => ({ ...entry, name: `${name}: ${entry.name}` })),
  }
  if (tally.passed + tally.failed.length + tally.skipped.length === 0) return failure(name, 'ran no tests')
  return tally
}

/**
 * Adds a failure to the tally of a run that failed for no reason its report knows of.
 * @param {Tally} tally
 * @param {string} name
 * @param {number} code the run's exit code
 */
export function withExitCode(tally, name, code) {
  if (code === 0 || tally.failed.length > 0) return tally
  return sum([tally, failure(name, `ended with code ${code} although no test failed`)])
}

/**
 * The last line of a run, and whether it was a success: a run that tested nothing is none.
 * @param {Tally} total
 */
export function verdict({ passed, failed, skipped }) {
  const line = `${passed} passed, ${failed.length} failed`
  return {
    line: skipped.length === 0 ? line : `${line}, ${skipped.length} skipped`,
    ok: passed > 0 && failed.length === 0,
  }
}
