import { describe, expect, it } from 'vitest'
import { sourceFacts } from './source-facts.ts'

describe('sourceFacts', () => {
  it.each([
    ["import a from 'x'", false],
    ["import { type A } from 'x'", false],
    ["import type { A } from 'x'", true],
    ["import 'x'", false],
    ["export { a } from 'x'", false],
    ["export type { A } from 'x'", true],
    ["export * from 'x'", false],
    ["const a = await import('x')", false],
    ['const a = await import(`x`)', false],
    ["let a: import('x').A", true],
    ["import a = require('x')", false],
    ["const a = require('x')", false],
    ["class A { b(): void { void import('x') } }", false],
  ])('sees the import in %s', (text, typeOnly) => {
    expect(sourceFacts(text).imports).toEqual([{ specifier: 'x', typeOnly }])
  })

  it.each([
    "// import a from 'x'",
    "/* import a from 'x' */",
    `const a = "import b from 'x'"`,
    "const a = `import('x')`",
    "const a = /import 'x'/",
    'export { a } ; const a = 1',
  ])('sees no import in %s', (text) => {
    expect(sourceFacts(text)).toMatchObject({ imports: [], computedImport: false })
  })

  it.each(['await import(name)', 'await import(`./${name}.ts`)', 'require(name)'])(
    'sees that %s is computed',
    (text) => {
      expect(sourceFacts(text).computedImport).toBe(true)
    },
  )

  it('sees identifiers and strings, and not the words of comments', () => {
    const facts = sourceFacts("// vault\nexport const openVault = 'kept' as const")
    expect([...facts.identifiers]).toContain('openVault')
    expect([...facts.identifiers]).not.toContain('vault')
    expect([...facts.strings]).toEqual(['kept'])
  })

  it('refuses what is not TypeScript', () => {
    expect(() => sourceFacts('const = 1')).toThrow(/parse/i)
  })
})
