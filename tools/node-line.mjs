import { rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

/**
 * @typedef {{ bin: string, version: string }} NodeLine folder that holds `node`, and its version
 * @typedef {{ problem: string }} NoNodeLine
 */

/** Where downloads that outlive a checkout are kept. */
export function cacheFolder(env = process.env) {
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kms')
}

/** @param {string} bin @param {string} line */
async function versionIn(bin, line) {
  const { code, output } = await run(join(bin, 'node'), ['--version'])
  return code === 0 && output.startsWith(`v${line}.`) ? output.trim() : undefined
}

/**
 * The Node of a release line, from the npm package `node`: its binaries ship in the registry.
 * @param {string} line `22`
 * @returns {Promise<NodeLine | NoNodeLine>}
 */
export async function ensureNodeLine(line) {
  const folder = join(cacheFolder(), `node-${line}`)
  const bin = join(folder, 'node_modules', '.bin')
  const cached = await versionIn(bin, line)
  if (cached !== undefined) return { bin, version: cached }
  rmSync(folder, { recursive: true, force: true })
  const install = ['install', '--prefix', folder, `node@${line}`, '--no-audit', '--no-fund', '--loglevel=error']
  const { output } = await run('npm', install, { timeoutMs: 180_000 })
  const version = await versionIn(bin, line)
  return version === undefined ? { problem: `npm could not install node@${line}: ${output.trim()}` } : { bin, version }
}
