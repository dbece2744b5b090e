import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * What `npm test` wants to know of one vitest run. vitest's own JSON report has neither the reason of a skip nor the
 * errors outside tests.
 * @typedef {object} TestReport
 * @property {number} passed
 * @property {{ name: string, message: string }[]} failed tests, and files or hooks that broke before their tests ran
 * @property {{ name: string, reason: string }[]} skipped
 */

/** @param {string} root @param {import('vitest/node').TestModule} module */
function moduleName(root, module) {
  return module.moduleId.startsWith(`${root}/`) ? module.moduleId.slice(root.length + 1) : module.moduleId
}

/** @param {readonly { message: string }[]} errors */
function firstMessage(errors) {
  return errors[0]?.message ?? 'no message'
}

/**
 * @param {string} root
 * @param {readonly import('vitest/node').TestModule[]} modules
 * @param {readonly { message: string }[]} unhandled
 * @returns {TestReport}
 */
function summarise(root, modules, unhandled) {
  /** @type {TestReport} */
  const report = { passed: 0, failed: [], skipped: [] }
  for (const error of unhandled) report.failed.push({ name: 'outside any test', message: error.message })
  for (const module of modules) {
    const file = moduleName(root, module)
    if (module.errors().length > 0) report.failed.push({ name: file, message: firstMessage(module.errors()) })
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) {
        report.failed.push({ name: `${file} > ${suite.fullName}`, message: firstMessage(suite.errors()) })
      }
    }
    for (const test of module.children.allTests()) {
      const result = test.result()
      const name = `${file} > ${test.fullName}`
      if (result.state === 'passed') report.passed += 1
      else if (result.state === 'failed') report.failed.push({ name, message: firstMessage(result.errors) })
      else if (result.state === 'skipped') report.skipped.push({ name, reason: result.note ?? 'no reason given' })
      else report.failed.push({ name, message: 'did not finish' })
    }
  }
  return report
}

/** A vitest reporter that writes a {@link TestReport} to the file `KMS_TEST_REPORT` names, relative to vitest's root. */
export default class TestReportWriter {
  /** @type {string} */
  #root = process.cwd()

  /** @param {import('vitest/node').Vitest} vitest */
  onInit(vitest) {
    this.#root = vitest.config.root
  }

  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly { message: string }[]} unhandled
   */
  onTestRunEnd(modules, unhandled) {
    const name = process.env['KMS_TEST_REPORT']
    if (name === undefined) throw new Error('KMS_TEST_REPORT must name the file to write the report to')
    const file = resolve(this.#root, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${JSON.stringify(summarise(this.#root, modules, unhandled), null, 2)}\n`)
  }
}
