import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkApi, reachable, stripComments } from './api-snapshot.mjs'
import { scratchFolder } from './scratch.ts'

function packageWith(files: Readonly<Record<string, string>>): string {
  const exports = {
    '.': { '@kms/source': './src/index.ts', types: './dist/index.d.ts' },
    './testing': { '@kms/source': './src/testing/index.ts', types: './dist/testing/index.d.ts' },
    './internal': { '@kms/source': './src/internal.ts', types: './dist/internal.d.ts' },
  }
  return scratchFolder({
    'packages/iam/package.json': JSON.stringify({ name: '@kms/iam', exports }),
    'packages/iam/dist/index.d.ts': "export { type B, a } from './a.ts';\n",
    'packages/iam/dist/a.d.ts': "/** Docs. */\nexport declare const a: number;\nexport type B = import('./b.ts').C;\n",
    'packages/iam/dist/b.d.ts': 'export interface C {\n    // why\n    readonly c: "//c";\n}\n',
    'packages/iam/dist/left-over.d.ts': 'export declare const old: 1;\n',
    'packages/iam/dist/testing/index.d.ts': "import '../b.ts';\nexport {};\n",
    'packages/iam/dist/internal.d.ts': 'export {};\n',
    ...files,
  })
}

describe('stripComments', () => {
  it('takes comments and blank lines, and leaves strings', () => {
    const text = "/** a */\nconst a: \"/* no */\";\n\n  // b\ntype B = `//${string}`; // c\nconst c: 'it\\'s // x';\n"
    expect(stripComments(text)).toBe("const a: \"/* no */\";\ntype B = `//${string}`;\nconst c: 'it\\'s // x';")
  })
})

describe('reachable', () => {
  it('follows every kind of relative import, in a fixed order', () => {
    const root = scratchFolder({
      'index.d.ts':
        "import type { Z } from './z.ts';\nexport { a } from './deep/a.js';\nimport 'zod';\n// import './no.ts'\n",
      'z.d.ts': "export type Z = import('./deep/m').M;\n",
      'deep/a.d.ts': "import '../z.ts';\n",
      'deep/m.d.ts': '',
      'no.d.ts': '',
    })
    // A specifier without an ending stands for no emitted file, so it is kept as it is and fails loudly when read.
    expect(() => reachable(join(root, 'index.d.ts'))).toThrow(/ENOENT/)
    writeFileSync(join(root, 'z.d.ts'), "export type Z = import('./deep/m.ts').M;\n")
    expect(reachable(join(root, 'index.d.ts'))).toEqual(
      ['index.d.ts', 'deep/a.d.ts', 'deep/m.d.ts', 'z.d.ts'].map((name) => join(root, name)),
    )
  })
})

describe('checkApi', () => {
  it('is satisfied by what it wrote itself', () => {
    const root = packageWith({})
    expect(checkApi({ root })).toEqual([
      'packages/iam/api/index.d.ts is missing',
      'packages/iam/api/testing.d.ts is missing',
    ])
    expect(checkApi({ root, update: true })).toEqual([])
    expect(checkApi({ root })).toEqual([])
    const written = readFileSync(join(root, 'packages/iam/api/index.d.ts'), 'utf8')
    expect(written.split('\n').slice(2).join('\n')).toBe(
      [
        "\n// index.d.ts\nexport { type B, a } from './a.ts';\n",
        "// a.d.ts\nexport declare const a: number;\nexport type B = import('./b.ts').C;\n",
        '// b.d.ts\nexport interface C {\n    readonly c: "//c";\n}\n',
      ].join('\n'),
    )
    expect(existsSync(join(root, 'packages/iam/api/internal.d.ts'))).toBe(false)
  })

  it('names the first line that changed', () => {
    const root = packageWith({})
    checkApi({ root, update: true })
    writeFileSync(join(root, 'packages/iam/dist/b.d.ts'), 'export interface C {\n    readonly c: "other";\n}\n')
    expect(checkApi({ root })[0]).toMatch(
      /^packages\/iam\/api\/index\.d\.ts is not .*\n {4}- +readonly c: "\/\/c";\n {4}\+ +readonly c: "other";$/,
    )
  })

  it('does not mind a changed comment', () => {
    const root = packageWith({})
    checkApi({ root, update: true })
    writeFileSync(join(root, 'packages/iam/dist/b.d.ts'), 'export interface C {\n    readonly c: "//c"; // new\n}\n')
    expect(checkApi({ root })).toEqual([])
  })

  it('refuses and removes a snapshot whose entry is gone', () => {
    const root = packageWith({ 'packages/iam/api/gone.d.ts': '' })
    expect(checkApi({ root })).toContain('packages/iam/api/gone.d.ts has no entry')
    checkApi({ root, update: true })
    expect(checkApi({ root })).toEqual([])
  })

  it('refuses an entry that was not built, also when updating', () => {
    const exports = { '.': { '@kms/source': './src/index.ts', types: './dist/none.d.ts' } }
    const root = packageWith({ 'packages/iam/package.json': JSON.stringify({ name: '@kms/iam', exports }) })
    const problem = 'packages/iam/api/index.d.ts: dist/none.d.ts is not built'
    expect(checkApi({ root })).toEqual([problem])
    expect(checkApi({ root, update: true })).toEqual([problem])
  })
})
