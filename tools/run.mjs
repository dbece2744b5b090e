import { spawn } from 'node:child_process'
import { pnpmCommand } from './pnpm.mjs'
import { root } from './workspace.mjs'

/**
 * @typedef {object} Outcome
 * @property {number} code 0 when the command succeeded
 * @property {string} output standard output and standard error, as they came
 */

/** @type {Set<number>} */
const groups = new Set()

/** @param {number} group @param {NodeJS.Signals} signal */
function signalGroup(group, signal) {
  try {
    process.kill(-group, signal)
  } catch {
    // The group has ended by itself.
  }
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => {
    for (const group of groups) signalGroup(group, 'SIGKILL')
    process.exit(1)
  })
}

/**
 * Runs a command to its end and keeps what it printed. It leads a process group of its own, so that a command that
 * hangs is ended with everything it started.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, timeoutMs?: number }} [options]
 * @returns {Promise<Outcome>}
 */
export function run(command, args, { cwd = root, env = {}, timeoutMs = 600_000 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      detached: true,
      env: { ...process.env, NO_COLOR: '1', TURBO_TELEMETRY_DISABLED: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const group = child.pid
    if (group !== undefined) groups.add(group)
    const timer = setTimeout(() => {
      output += `\n${command} was ended: it had not finished after ${timeoutMs / 1000} s.\n`
      if (group !== undefined) signalGroup(group, 'SIGKILL')
    }, timeoutMs)
    const finish = (/** @type {number} */ code) => {
      clearTimeout(timer)
      if (group !== undefined) groups.delete(group)
      resolve({ code, output })
    }
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
      })
    }
    child.on('error', (error) => {
      output += `${error.message}\n`
      finish(1)
    })
    child.on('close', (code) => finish(code ?? 1))
  })
}

/**
 * Runs turbo through pnpm: turbo starts every task with the `pnpm` it finds on PATH, and only npx puts it there.
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, timeoutMs?: number }} [options]
 */
export function turbo(args, { env = {}, ...options } = {}) {
  const { command, args: line } = pnpmCommand(['exec', 'turbo', ...args])
  return run(command, line, { env: { npm_config_loglevel: 'error', ...env }, ...options })
}

/** @param {number} ms */
export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`
}
