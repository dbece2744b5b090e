import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { type ImportFact, type SourceFacts, sourceFacts } from './source-facts.ts'
import { listPackages, type Manifest, readManifest, type WorkspacePackage } from './workspace.mjs'

/**
 * Which packages a package may import, and whether the import may remain at run time. Arrows point one way; a new
 * package starts with a line here.
 */
export const allowedEdges: Readonly<Record<string, Readonly<Record<string, 'any' | 'types'>> | 'every package'>> = {
  core: {},
  'backend-local': { core: 'any' },
  'backend-vault': { core: 'any' },
  audit: { core: 'any' },
  sigv4: {},
  iam: {},
  'admin-api': { core: 'any', sigv4: 'any', iam: 'any' },
  sse: { core: 'any' },
  's3-api': { core: 'any', sse: 'any', sigv4: 'any', iam: 'any' },
  'store-fs': { 's3-api': 'types' },
  client: { sigv4: 'any' },
  server: 'every package',
  cli: { client: 'any', audit: 'any' },
}

export interface SourceFile {
  /** Relative to the root of the workspace, with `/`. */
  readonly path: string
  readonly absolute: string
  /** Tests, and what lies beside `src`: it may use what only developers have. */
  readonly isTest: boolean
  readonly text: string
  readonly facts: SourceFacts
}

export interface Room extends WorkspacePackage {
  readonly files: readonly SourceFile[]
}

export interface Workspace {
  readonly root: string
  readonly manifest: Manifest
  readonly rooms: readonly Room[]
}

const sourceFolders = ['src', 'test', 'e2e', 'bench', 'examples']

function filesBelow(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function readSource(root: string, dir: string, absolute: string): SourceFile {
  const text = readFileSync(absolute, 'utf8')
  const isTest = /\.test\.[cm]?[jt]s$/.test(absolute) || !absolute.startsWith(join(dir, 'src') + sep)
  return { path: relative(root, absolute).split(sep).join('/'), absolute, isTest, text, facts: sourceFacts(text) }
}

/** Reads every package and app of the workspace at `root`, with its sources parsed. */
export function readWorkspace(root: string): Workspace {
  const rooms = listPackages(root).map((found) => ({
    ...found,
    files: sourceFolders
      .flatMap((folder) => filesBelow(join(found.dir, folder)))
      .map((file) => readSource(root, found.dir, file)),
  }))
  return { root, manifest: readManifest(root), rooms }
}

function eachFile(workspace: Workspace, visit: (file: SourceFile, room: Room) => readonly string[]): string[] {
  return workspace.rooms.flatMap((room) =>
    room.files.flatMap((file) => visit(file, room).map((problem) => `${file.path}: ${problem}`)),
  )
}

/** `@scope/name/sub/path` → `@scope/name`, `name/sub` → `name`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

const isRelative = (specifier: string): boolean => /^\.\.?(\/|$)/.test(specifier)

/** The folder's name of a package of this workspace, or undefined for one from outside. */
function internalId(specifier: string): string | undefined {
  return specifier.startsWith('@kms/') ? packageOf(specifier).slice('@kms/'.length) : undefined
}

function declaredFor(file: SourceFile, room: Room, workspace: Workspace): Set<string> {
  const { name, dependencies, devDependencies, peerDependencies } = room.manifest
  const forTests = file.isTest ? { ...devDependencies, ...workspace.manifest.devDependencies, [name]: 'itself' } : {}
  return new Set(Object.keys({ ...dependencies, ...peerDependencies, ...forTests }))
}

/** Each import stays inside its package, is a `node:` module, or is a dependency the package declares. */
export function undeclaredImports(workspace: Workspace): string[] {
  return eachFile(workspace, (file, room) => {
    const declared = declaredFor(file, room, workspace)
    const problems = file.facts.imports.flatMap(({ specifier }) => {
      if (isRelative(specifier)) {
        const target = resolve(dirname(file.absolute), specifier)
        const homes = file.isTest ? [room.dir, join(workspace.root, 'tools')] : [join(room.dir, 'src')]
        return homes.some((home) => target === home || target.startsWith(home + sep))
          ? []
          : [`imports '${specifier}', which lies outside the package`]
      }
      if (specifier.startsWith('node:') || declared.has(packageOf(specifier))) return []
      return [`imports '${specifier}', which ${room.id}/package.json does not declare`]
    })
    return file.facts.computedImport && !file.isTest
      ? [...problems, 'imports a module whose name it computes']
      : problems
  })
}

function edgeProblem(from: string, to: string, typeOnly: boolean): string[] {
  const allowed = Object.hasOwn(allowedEdges, from) ? allowedEdges[from] : undefined
  if (allowed === undefined) return [`${from} has no line in the table of allowed edges (tools/boundaries.ts)`]
  if (allowed === 'every package') return []
  const kind = Object.hasOwn(allowed, to) ? allowed[to] : undefined
  if (kind === undefined) return [`${from} must not depend on ${to}`]
  return kind === 'types' && !typeOnly ? [`${from} may import only types of ${to}`] : []
}

/** Edges between our packages, in imports and in manifests, are those of the table; nothing depends on an app. */
export function forbiddenEdges(workspace: Workspace): string[] {
  const apps = new Set(workspace.rooms.filter(({ room }) => room === 'apps').map(({ id }) => id))
  // Where the table says types, a contract suite may still be run: tests import values of `/testing`.
  const isSuite = (fact: ImportFact, file: SourceFile): boolean => file.isTest && fact.specifier.endsWith('/testing')
  const check = (from: string, specifier: string, typeOnly: boolean): string[] => {
    const to = internalId(specifier)
    if (to === undefined || to === from) return []
    return apps.has(to) ? [`${from} must not depend on the app ${to}`] : edgeProblem(from, to, typeOnly)
  }
  const manifests = workspace.rooms.flatMap(({ id, room, manifest }) =>
    Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies })
      .flatMap((name) => check(id, name, true))
      .map((problem) => `${room}/${id}/package.json: ${problem}`),
  )
  const imports = eachFile(workspace, (file, room) =>
    file.facts.imports.flatMap((fact) => check(room.id, fact.specifier, fact.typeOnly || isSuite(fact, file))),
  )
  return [...manifests, ...imports]
}

/** `@kms/x/internal` is for packages only; `@kms/x/testing` is for tests only. */
export function misusedEntries(workspace: Workspace): string[] {
  const problem = ({ specifier }: ImportFact, file: SourceFile, room: Room): string[] => {
    if (internalId(specifier) === undefined) return []
    if (/\/internal(\/|$)/.test(specifier) && room.room === 'apps') return [`an app imports '${specifier}'`]
    if (/\/testing(\/|$)/.test(specifier) && !file.isTest) return [`imports '${specifier}' outside a test`]
    return []
  }
  return eachFile(workspace, (file, room) => file.facts.imports.flatMap((fact) => problem(fact, file, room)))
}

/** Core is handed its drivers: no name of a backend stands in its code (comments and the envelope's constants may). */
export function backendNamesInCore(workspace: Workspace): string[] {
  return eachFile(workspace, (file, room) => {
    if (room.id !== 'core' || file.isTest) return []
    const named = [...file.facts.identifiers].filter((name) => /vault(?![a-z])|Vault(?![a-z])/.test(name))
    const quoted = [...file.facts.strings].filter((value) => value === 'vault')
    return [...named, ...quoted].map((name) => `names the backend '${name}'`)
  })
}

/** No `export *`, no file named after nothing, no lint suppression without its reason. */
export function shapelessSources(workspace: Workspace): string[] {
  return eachFile(workspace, (file) => {
    const problems: string[] = []
    if (file.facts.exportsStar) problems.push('has an `export *`: name what it exports')
    if (/^(utils?|helpers?|misc|common)\./.test(basename(file.path))) problems.push('is named after nothing')
    for (const [index, line] of file.text.split('\n').entries()) {
      if (/\b(oxlint|eslint)-disable\b/.test(line) && !/-disable\b.* -- \S/.test(line)) {
        problems.push(`line ${index + 1} switches a lint rule off without saying why (\`-- reason\`)`)
      }
    }
    return problems
  })
}

function conditionsProblems(room: Room): string[] {
  const entries = Object.entries(room.manifest.exports ?? {})
  if (entries.length === 0) return ['has no `exports`']
  return entries
    .filter(([, conditions]) => Object.keys(conditions)[0] !== '@kms/source')
    .map(([entry]) => `the first condition of the export '${entry}' is not '@kms/source'`)
}

/** Every room has a README, a `test` script and a scoped name; every package has an `exports` map for its sources. */
export function incompletePackages(workspace: Workspace): string[] {
  return workspace.rooms.flatMap((room) => {
    const problems: string[] = []
    if (!statSync(join(room.dir, 'README.md'), { throwIfNoEntry: false })) problems.push('has no README.md')
    if (!room.manifest.scripts?.['test']) problems.push('has no `test` script')
    if (room.manifest.name !== `@kms/${room.id}`) problems.push(`is not named @kms/${room.id}`)
    if (room.room === 'packages') problems.push(...conditionsProblems(room))
    return problems.map((problem) => `${room.room}/${room.id}: ${problem}`)
  })
}
