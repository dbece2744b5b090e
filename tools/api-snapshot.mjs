import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './pnpm.mjs'
import { turbo } from './run.mjs'
import { listPackages } from './workspace.mjs'

/** @typedef {{ name: string, declarations: string }} Entry `name` of the snapshot, path of the emitted `.d.ts` */

/**
 * A declaration file without its comments and blank lines: the surface, not its documentation. Declarations hold
 * strings and template types, but no regular expressions.
 * @param {string} text
 */
export function stripComments(text) {
  return text
    .replace(
      /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
      (_, quoted) => quoted ?? '',
    )
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .join('\n')
}

/**
 * The file a relative specifier of a declaration file stands for.
 * @param {string} from
 * @param {string} specifier
 */
function declarationFile(from, specifier) {
  return resolve(dirname(from), specifier.replace(/(\.d)?\.[cm]?[jt]s$/, '.d.ts'))
}

/**
 * The declaration files an entry reaches through relative imports: itself first, then the others by path.
 * @param {string} entry
 * @returns {string[]}
 */
export function reachable(entry) {
  const seen = new Set([entry])
  const pending = [entry]
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    const text = stripComments(readFileSync(file, 'utf8'))
    for (const [, specifier = ''] of text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.{1,2}\/[^"']*)["']/g)) {
      const target = declarationFile(file, specifier)
      if (seen.has(target)) continue
      seen.add(target)
      pending.push(target)
    }
  }
  seen.delete(entry)
  return [entry, ...[...seen].sort()]
}

/**
 * @param {string} packageName
 * @param {string} dist
 * @param {Entry} entry
 */
function snapshot(packageName, dist, { name, declarations }) {
  const parts = reachable(declarations).map((file) => {
    const path = relative(dist, file).split(sep).join('/')
    return `// ${path}\n${stripComments(readFileSync(file, 'utf8'))}\n`
  })
  const title =
    `// What ${packageName} declares (${name}). Written by \`npm run api:update\` from the emitted declarations;\n` +
    '// a change here is a change others have to follow.\n'
  return [title, ...parts].join('\n')
}

/**
 * The entries that are promises to others; `./internal` is none by its name.
 * @param {import('./workspace.mjs').WorkspacePackage} found
 * @returns {Entry[]}
 */
function entries({ dir, manifest }) {
  return Object.entries(manifest.exports ?? {}).flatMap(([path, conditions]) => {
    const types = conditions['types']
    if (path === './internal' || types === undefined) return []
    const name = path === '.' ? 'index' : path.slice(2).replaceAll('/', '-')
    return [{ name, declarations: join(dir, types) }]
  })
}

/** @param {string} expected @param {string} actual */
function firstDifference(expected, actual) {
  const before = expected.split('\n')
  const after = actual.split('\n')
  const at = after.findIndex((line, index) => line !== before[index])
  const line = at === -1 ? after.length : at
  return `line ${line + 1}:\n    - ${before[line] ?? '(end)'}\n    + ${after[line] ?? '(end)'}`
}

/** @param {string} folder */
function filesIn(folder) {
  return existsSync(folder) ? readdirSync(folder) : []
}

/**
 * Compares the built declarations with the committed ones, or rewrites those. The packages must be built.
 * @param {{ root?: string, update?: boolean }} [options]
 * @returns {string[]} what differs; nothing when all is as committed
 */
export function checkApi({ root, update = false } = {}) {
  return listPackages(root).flatMap((found) => {
    if (found.room !== 'packages') return []
    const api = join(found.dir, 'api')
    const dist = join(found.dir, 'dist')
    const wanted = entries(found)
    const problems = wanted.flatMap((entry) => {
      const title = `packages/${found.id}/api/${entry.name}.d.ts`
      if (!existsSync(entry.declarations)) return [`${title}: ${relative(found.dir, entry.declarations)} is not built`]
      const actual = snapshot(found.manifest.name, dist, entry)
      const file = join(api, `${entry.name}.d.ts`)
      const expected = existsSync(file) ? readFileSync(file, 'utf8') : undefined
      if (expected === actual) return []
      if (update) {
        mkdirSync(api, { recursive: true })
        writeFileSync(file, actual)
        return []
      }
      if (expected === undefined) return [`${title} is missing`]
      return [`${title} is not what the package declares now, ${firstDifference(expected, actual)}`]
    })
    const names = new Set(wanted.map(({ name }) => `${name}.d.ts`))
    const stale = filesIn(api).filter((name) => !names.has(name))
    if (update) for (const name of stale) rmSync(join(api, name))
    return update ? problems : [...problems, ...stale.map((name) => `packages/${found.id}/api/${name} has no entry`)]
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensureInstalled()
  const build = await turbo(['run', 'build', '--filter=./packages/*', '--output-logs=errors-only'])
  if (build.code !== 0) console.error(build.output)
  const problems = build.code === 0 ? checkApi({ update: process.argv.includes('--update') }) : ['the build failed']
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
}
