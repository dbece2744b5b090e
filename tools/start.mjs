import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureInstalled } from './pnpm.mjs'
import { listPackages, root } from './workspace.mjs'

const server = join(root, 'apps', 'server')
const bundle = join(server, 'dist', 'kms-server.mjs')

/**
 * When anything below was last changed, in milliseconds; what was removed shows in its directory.
 * @param {string} directory
 * @returns {number}
 */
function newestIn(directory) {
  let newest = statSync(directory).mtimeMs
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    const changed = entry.isDirectory() ? newestIn(path) : statSync(path).mtimeMs
    if (changed > newest) newest = changed
  }
  return newest
}

/** Whether something the bundle is made of is newer than the bundle. */
function isStale() {
  const built = statSync(bundle, { throwIfNoEntry: false })?.mtimeMs
  if (built === undefined) return true
  const files = [join(root, 'pnpm-lock.yaml'), join(server, 'build.mjs'), join(server, 'package.json')]
  const folders = listPackages().flatMap(({ dir }) => {
    const sources = join(dir, 'src')
    return statSync(sources, { throwIfNoEntry: false })?.isDirectory() ? [sources] : []
  })
  return files.some((file) => statSync(file).mtimeMs > built) || folders.some((folder) => newestIn(folder) > built)
}

ensureInstalled()
// The default data directory, and every relative path, counts from here.
process.chdir(root)
if (isStale()) {
  process.stdout.write('Building the server ...\n')
  await import(pathToFileURL(join(server, 'build.mjs')).href)
}
await import(pathToFileURL(bundle).href)
