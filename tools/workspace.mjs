import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} [packageManager]
 * @property {Record<string, string>} [scripts]
 * @property {Record<string, Record<string, string>>} [exports]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [peerDependencies]
 */

/**
 * @typedef {object} WorkspacePackage
 * @property {string} id the folder's name, which is the package's name without its scope
 * @property {'packages' | 'apps'} room
 * @property {string} dir absolute path
 * @property {Manifest} manifest
 */

/** The folders `pnpm-workspace.yaml` names. */
const rooms = /** @type {const} */ (['packages', 'apps'])

/** Absolute path of the repository, without a trailing slash. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')

/** @param {string} dir @returns {Manifest} */
export function readManifest(dir) {
  return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
}

/**
 * Every package of the workspace at `at`, in the order of room and name.
 * @param {string} [at]
 * @returns {WorkspacePackage[]}
 */
export function listPackages(at = root) {
  return rooms.flatMap((room) => {
    const folder = join(at, room)
    if (!existsSync(folder)) return []
    return readdirSync(folder)
      .sort()
      .map((id) => ({ id, room, dir: join(folder, id) }))
      .filter(({ dir }) => existsSync(join(dir, 'package.json')))
      .map((found) => ({ ...found, manifest: readManifest(found.dir) }))
  })
}
