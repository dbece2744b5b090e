import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { listPackages, readManifest, root } from './workspace.mjs'

/** The oldest Node the project runs on, as [major, minor]. */
const oldestNode = /** @type {const} */ ([20, 19])

/** Ends the process with a message that names the way out when this Node is too old. */
export function requireNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return
  console.error(
    `Node ${oldestNode.join('.')} or newer is needed; this is Node ${version}. ` +
      'Install a newer one (https://nodejs.org, or `npm install --prefix ~/node-22 node@22`) and run the command again.',
  )
  process.exit(1)
}

/**
 * The command line that runs the pnpm named in `packageManager`. It goes through npx because that is there
 * wherever npm is, while corepack is not.
 * @param {readonly string[]} args
 * @returns {{ command: string, args: string[] }}
 */
export function pnpmCommand(args) {
  const pinned = readManifest(root).packageManager
  if (!pinned?.startsWith('pnpm@')) throw new Error('package.json must pin pnpm in `packageManager`')
  return { command: 'npx', args: ['--yes', pinned, ...args] }
}

/**
 * What an installation depends on: the lockfile, the workspace settings, every manifest and the machine's kind.
 * @param {string} [at]
 */
export function installStamp(at = root) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`)
  const manifests = listPackages(at).map(({ dir }) => join(dir, 'package.json'))
  for (const file of [
    ...['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'].map((name) => join(at, name)),
    ...manifests,
  ]) {
    const content = readFileSync(file)
    hash.update(`${relative(at, file)} ${content.length}\n`).update(content)
  }
  return hash.digest('hex')
}

/** @param {string} file */
function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/**
 * Installs the dependencies the lockfile names, unless `node_modules` already holds them; then it costs a few
 * milliseconds. Ends the process with pnpm's own output when the installation fails.
 */
export function ensureInstalled() {
  requireNode()
  const stampFile = join(root, 'node_modules', '.kms-install-stamp')
  const stamp = installStamp()
  if (readIfThere(stampFile) === stamp) return
  console.log('Installing dependencies ...')
  const { command, args } = pnpmCommand(['install', '--frozen-lockfile', '--prefer-offline', '--reporter=append-only'])
  // CI=true makes pnpm answer its own questions: there may be no terminal to ask. Under `npm --silent` it would hide errors.
  const done = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, CI: 'true', npm_config_loglevel: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (done.error ?? done.status !== 0) {
    console.error(`${done.stdout ?? ''}${done.stderr ?? ''}${done.error?.message ?? ''}`)
    console.error(
      'The dependencies could not be installed. When package.json and pnpm-lock.yaml disagree, run ' +
        `\`npx --yes ${readManifest(root).packageManager} install\` and commit the lockfile.`,
    )
    process.exit(1)
  }
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stampFile, stamp)
}
