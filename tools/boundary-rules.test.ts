import { describe, expect, it } from 'vitest'
import {
  allowedEdges,
  backendNamesInCore,
  forbiddenEdges,
  incompletePackages,
  misusedEntries,
  readWorkspace,
  shapelessSources,
  undeclaredImports,
  type Workspace,
} from './boundaries.ts'
import { scratchFolder } from './scratch.ts'

interface Fixture {
  readonly dependencies?: readonly string[]
  readonly devDependencies?: readonly string[]
  /** Beside `src/index.ts`, which is there anyway. */
  readonly files?: Readonly<Record<string, string>>
}

function table(names: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, '1']))
}

/** A workspace in which nothing is wrong but what the rooms add. */
function workspaceOf(rooms: Readonly<Record<string, Fixture>>): Workspace {
  const files: Record<string, string> = {
    'package.json': JSON.stringify({ name: 'kms', devDependencies: { vitest: '1' } }),
  }
  for (const [path, room] of Object.entries(rooms)) {
    files[`${path}/package.json`] = JSON.stringify({
      name: path.replace(/^\w+/, '@kms'),
      exports: { '.': { '@kms/source': './src/index.ts', default: './dist/index.js' } },
      scripts: { test: 'vitest run' },
      dependencies: table(room.dependencies),
      devDependencies: table(room.devDependencies),
    })
    files[`${path}/README.md`] = '# Room'
    files[`${path}/src/index.ts`] = 'export const here = 1'
    for (const [name, text] of Object.entries(room.files ?? {})) files[`${path}/${name}`] = text
  }
  return readWorkspace(scratchFolder(files))
}

const everyCheck = [
  undeclaredImports,
  forbiddenEdges,
  misusedEntries,
  backendNamesInCore,
  shapelessSources,
  incompletePackages,
]

function problems(workspace: Workspace): string[] {
  return everyCheck.flatMap((check) => check(workspace))
}

describe('the rules accept', () => {
  it('a workspace as it should be', () => {
    const workspace = workspaceOf({
      'packages/core': {
        dependencies: ['zod'],
        devDependencies: ['fast-check'],
        files: {
          'src/a.ts':
            "import { z } from 'zod'\nimport { b } from './deep/b.ts'\nimport { join } from 'node:path'\nz(b, join)",
          'src/deep/b.ts': "import { here } from '../index.ts'\nexport const b = here // the vault",
          'src/a.test.ts': "import 'vitest'\nimport 'fast-check'\nimport '../test/help.ts'\nawait import(name)",
          'test/help.ts': "import 'fast-check'",
          'examples/a.ts': "import '@kms/core'",
          'vitest.config.ts': "export { default } from '../../tools/vitest.config.ts'",
        },
      },
      'packages/backend-local': {
        dependencies: ['@kms/core'],
        files: { 'src/a.ts': "import '@kms/core/internal'", 'src/a.test.ts': "import '@kms/core/testing'" },
      },
      'apps/server': {
        dependencies: ['@kms/core', '@kms/backend-local'],
        files: { 'src/main.ts': "import '@kms/core'\nimport '@kms/backend-local'" },
      },
    })
    expect(problems(workspace)).toEqual([])
  })

  it('only types where the table says types', () => {
    const room = (text: string) => ({ dependencies: ['@kms/s3-api'], files: { 'src/a.ts': text } })
    expect(problems(workspaceOf({ 'packages/store-fs': room("import type { A } from '@kms/s3-api'") }))).toEqual([])
    expect(problems(workspaceOf({ 'packages/store-fs': room("import { A } from '@kms/s3-api'") }))).toEqual([
      'packages/store-fs/src/a.ts: store-fs may import only types of s3-api',
    ])
  })

  it('a contract suite in a test, also where the table says types', () => {
    const room = (path: string, entry: string) => ({
      dependencies: ['@kms/s3-api'],
      files: { [path]: `import '@kms/s3-api${entry}'` },
    })
    const found = (path: string, entry: string) => problems(workspaceOf({ 'packages/store-fs': room(path, entry) }))
    expect(found('src/a.test.ts', '/testing')).toEqual([])
    expect(found('src/a.test.ts', '')).toHaveLength(1)
    expect(found('src/a.ts', '/testing')).not.toEqual([])
  })
})

describe('the rules refuse', () => {
  it.each<[string, Record<string, Fixture>, string]>([
    [
      'an undeclared package',
      { 'packages/iam': { files: { 'src/a.ts': "import 'zod'" } } },
      "packages/iam/src/a.ts: imports 'zod', which iam/package.json does not declare",
    ],
    [
      'a bare node module',
      { 'packages/iam': { files: { 'src/a.ts': "import 'fs'" } } },
      "packages/iam/src/a.ts: imports 'fs', which iam/package.json does not declare",
    ],
    [
      'a developer dependency in shipped code',
      { 'packages/iam': { devDependencies: ['fast-check'], files: { 'src/a.ts': "import 'fast-check'" } } },
      "packages/iam/src/a.ts: imports 'fast-check', which iam/package.json does not declare",
    ],
    [
      "the root's developer dependency in shipped code",
      { 'packages/iam': { files: { 'src/a.ts': "import 'vitest'" } } },
      "packages/iam/src/a.ts: imports 'vitest', which iam/package.json does not declare",
    ],
    [
      'a path into another package',
      { 'packages/iam': { files: { 'src/a.ts': "export { x } from '../../core/src/x.ts'" } } },
      "packages/iam/src/a.ts: imports '../../core/src/x.ts', which lies outside the package",
    ],
    [
      'a path into another package, from a test',
      { 'packages/iam': { files: { 'src/a.test.ts': "import '../../core/src/x.ts'" } } },
      "packages/iam/src/a.test.ts: imports '../../core/src/x.ts', which lies outside the package",
    ],
    [
      'shipped code that needs its own tests',
      { 'packages/iam': { files: { 'src/a.ts': "import '../test/x.ts'" } } },
      "packages/iam/src/a.ts: imports '../test/x.ts', which lies outside the package",
    ],
    [
      'shipped code that imports its own package',
      { 'packages/iam': { files: { 'src/a.ts': "import '@kms/iam'" } } },
      "packages/iam/src/a.ts: imports '@kms/iam', which iam/package.json does not declare",
    ],
    [
      'a benchmark with an undeclared package',
      { 'packages/iam': { files: { 'bench/a.mjs': "import 'autocannon'" } } },
      "packages/iam/bench/a.mjs: imports 'autocannon', which iam/package.json does not declare",
    ],
    [
      'a computed import',
      { 'packages/iam': { files: { 'src/a.ts': 'await import(process.argv[2])' } } },
      'packages/iam/src/a.ts: imports a module whose name it computes',
    ],
    [
      'an arrow that points back',
      { 'packages/core': { dependencies: ['@kms/iam'] } },
      'packages/core/package.json: core must not depend on iam',
    ],
    [
      'an arrow that points back, in a test',
      { 'packages/core': { files: { 'src/a.test.ts': "import type { A } from '@kms/iam'" } } },
      'packages/core/src/a.test.ts: core must not depend on iam',
    ],
    [
      'a backend outside the server',
      { 'packages/admin-api': { devDependencies: ['@kms/backend-local'] } },
      'packages/admin-api/package.json: admin-api must not depend on backend-local',
    ],
    [
      'a package the table does not know',
      { 'packages/new': { dependencies: ['@kms/core'] } },
      'packages/new/package.json: new has no line in the table of allowed edges (tools/boundaries.ts)',
    ],
    [
      'an app as a dependency',
      { 'packages/iam': { dependencies: ['@kms/server'] }, 'apps/server': {} },
      'packages/iam/package.json: iam must not depend on the app server',
    ],
    [
      'internals in an app',
      { 'apps/server': { dependencies: ['@kms/core'], files: { 'src/a.ts': "import '@kms/core/internal'" } } },
      "apps/server/src/a.ts: an app imports '@kms/core/internal'",
    ],
    [
      'a testing entry in shipped code',
      { 'apps/server': { dependencies: ['@kms/core'], files: { 'src/a.ts': "import '@kms/core/testing'" } } },
      "apps/server/src/a.ts: imports '@kms/core/testing' outside a test",
    ],
    [
      "a backend's name in core",
      { 'packages/core': { files: { 'src/a.ts': 'export const openVaultDriver = 1' } } },
      "packages/core/src/a.ts: names the backend 'openVaultDriver'",
    ],
    [
      "a backend's name in core, quoted",
      { 'packages/core': { files: { 'src/a.ts': "export const type = 'vault'" } } },
      "packages/core/src/a.ts: names the backend 'vault'",
    ],
    [
      'export *',
      { 'packages/iam': { files: { 'src/a.ts': "export * from './b.ts'", 'src/b.ts': '' } } },
      'packages/iam/src/a.ts: has an `export *`: name what it exports',
    ],
    [
      'a utils.ts',
      { 'packages/iam': { files: { 'src/deep/utils.ts': '' } } },
      'packages/iam/src/deep/utils.ts: is named after nothing',
    ],
    [
      'a suppression without a reason',
      { 'packages/iam': { files: { 'src/a.ts': '\n// oxlint-disable-next-line no-console\nconsole.log(1)' } } },
      'packages/iam/src/a.ts: line 2 switches a lint rule off without saying why (`-- reason`)',
    ],
  ])('%s', (_, rooms, problem) => {
    expect(problems(workspaceOf(rooms))).toContain(problem)
  })

  it('a package without README, test script, name or source condition', () => {
    const workspace = readWorkspace(
      scratchFolder({
        'package.json': '{"name":"kms"}',
        'packages/iam/package.json': JSON.stringify({
          name: 'iam',
          exports: { '.': { types: './dist/index.d.ts', '@kms/source': './src/index.ts' } },
        }),
        'packages/core/package.json': JSON.stringify({ name: '@kms/core', scripts: { test: 'vitest run' } }),
        'packages/core/README.md': '',
      }),
    )
    expect(incompletePackages(workspace)).toEqual([
      'packages/core: has no `exports`',
      'packages/iam: has no README.md',
      'packages/iam: has no `test` script',
      'packages/iam: is not named @kms/iam',
      "packages/iam: the first condition of the export '.' is not '@kms/source'",
    ])
  })

  it('nothing that the table allows by the name of an inherited property', () => {
    expect(Object.hasOwn(allowedEdges, 'constructor')).toBe(false)
    expect(forbiddenEdges(workspaceOf({ 'packages/core': { dependencies: ['@kms/constructor'] } }))).toEqual([
      'packages/core/package.json: core must not depend on constructor',
    ])
  })
})
