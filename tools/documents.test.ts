import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { allowedEdges } from './boundaries.ts'
import { anchorsOf, brokenLinks, codeBlocks, type MarkdownDocument, readDocuments } from './documents.ts'
import { gateNames } from './gates.mjs'
import { scratchFolder } from './scratch.ts'
import { listPackages, readManifest, root } from './workspace.mjs'

const documents = readDocuments(root)

describe('the documents', () => {
  it('are those one expects, and more', () => {
    const paths = documents.map(({ path }) => path)
    for (const path of ['README.md', 'CONTRIBUTING.md', 'docs/operations.md', 'packages/core/README.md']) {
      expect(paths).toContain(path)
    }
  })

  it('have no link that leads nowhere', () => {
    expect(brokenLinks(root, documents)).toEqual([])
  })

  it('tell nobody to start turbo, which does not find its package manager when a person does', () => {
    expect(documents.filter(({ text }) => /\b(?:npx|pnpm) turbo\b/.test(text)).map(({ path }) => path)).toEqual([])
  })

  it('are led to, all in docs/, from the README', () => {
    const readme = documents.find(({ path }) => path === 'README.md')?.text ?? ''
    const missing = documents.filter(({ path }) => path.startsWith('docs/') && !readme.includes(`(${path}`))
    expect(missing.map(({ path }) => path)).toEqual([])
  })
})

describe('CONTRIBUTING', () => {
  const text = documents.find(({ path }) => path === 'CONTRIBUTING.md')?.text ?? ''
  /** The rows of tables whose first cell begins like this, as cells. */
  const rows = (start: RegExp): string[][] =>
    text
      .split('\n')
      .map((line) => line.slice(1).split(' | '))
      .filter(([first = '']) => start.test(first.trim()))

  it('maps every room, with the walls the gate keeps', () => {
    const map = rows(/^`(packages|apps)\/[a-z0-9-]+`$/).map(([path = '', , imports = '']) => [
      path.trim().replaceAll('`', ''),
      imports.replace(/\s*\|$/, '').trim(),
    ])
    const meant = listPackages(root).map(({ id, dir }) => {
      const edges = allowedEdges[id]
      const said =
        edges === 'every package'
          ? 'every package'
          : Object.entries(edges ?? {})
              .map(([name, kind]) => (kind === 'types' ? `types of ${name}` : name))
              .join(', ')
      return [dir.slice(root.length).replace(/^\//, ''), said === '' ? 'nothing' : said]
    })
    expect(Object.fromEntries(map)).toEqual(Object.fromEntries(meant))
  })

  it('names every gate, and every script there is', () => {
    const gates = rows(/^`[a-z-]+`(, `[a-z-]+`)*$/).flatMap(([cell = '']) =>
      [...cell.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name),
    )
    expect(gates).toEqual(expect.arrayContaining([...gateNames]))
    for (const script of Object.keys(readManifest(root).scripts ?? {})) {
      expect(text).toMatch(new RegExp(`\`npm (run )?${script}\\b`))
    }
  })
})

/** What is wrong with a block, as far as reading it shows. */
function defectOf(language: string, code: string): string | undefined {
  if (language === 'json') {
    try {
      JSON.parse(code)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
  if (language === 'bash' || language === 'sh') {
    const { status, stderr } = spawnSync(language, ['-n'], { input: code, encoding: 'utf8' })
    return status === 0 ? undefined : stderr.trim()
  }
  return undefined
}

describe('blocks of code', () => {
  const blocks = documents.flatMap(({ path, text }) => codeBlocks(text).map((block) => ({ path, ...block })))

  it('in JSON and for a shell can be read', () => {
    const defects = blocks.flatMap(({ path, line, language, code }) => {
      const defect = defectOf(language, code)
      return defect === undefined ? [] : [`${path}:${line}: ${defect}`]
    })
    expect(blocks.filter(({ language }) => language === 'bash').length).toBeGreaterThan(5)
    expect(defects).toEqual([])
  })

  it('show no TypeScript that nobody runs: each is the example of its package', () => {
    const unknown = blocks.filter(
      ({ path, language }) => language === 'ts' && !/^packages\/[^/]+\/README\.md$/.test(path),
    )
    expect(unknown.map(({ path, line }) => `${path}:${line}`)).toEqual([])
  })
})

describe('the check itself', () => {
  const check = (files: Readonly<Record<string, string>>) => {
    const folder = scratchFolder(files)
    const found: MarkdownDocument[] = Object.entries(files)
      .filter(([path]) => path.endsWith('.md'))
      .map(([path, text]) => ({ path, text }))
    return brokenLinks(folder, found)
  }

  it('finds files and anchors that are not there, and nothing else', () => {
    const page = '# One\n\n## Two words, `code`!\n\n## One\n'
    expect(
      check({
        'README.md':
          '[a](docs/a.md) [b](docs/a.md#two-words-code) [c](#here) [d](docs) [e](https://x.y/#z)\n\n# Here\n',
        'docs/a.md': `${page}[up](../README.md#here) [again](#one-1)\n`,
      }),
    ).toEqual([])
    expect(
      check({
        'README.md': '[a](docs/b.md) [b](docs/a.md#three) [c](#nowhere) [d](../outside.md)\n',
        'docs/a.md': page,
      }),
    ).toEqual([
      'README.md: docs/b.md is not there',
      'README.md: there is no #three in docs/a.md',
      'README.md: there is no #nowhere in README.md',
      'README.md: ../outside.md is not there',
    ])
  })

  it('takes no code for links or headings', () => {
    const text = '```sh\n# not a heading\necho [a](b)\n```\n`[x](y)`\n'
    expect(check({ 'README.md': text })).toEqual([])
    expect(anchorsOf(text)).toEqual(new Set())
    expect(codeBlocks(text)).toEqual([{ language: 'sh', code: '# not a heading\necho [a](b)\n', line: 2 }])
  })

  it('finds JSON and shell that cannot be read', () => {
    expect(defectOf('json', '{')).toBeDefined()
    expect(defectOf('bash', 'if true; then\n')).toBeDefined()
    expect(defectOf('bash', 'true\n')).toBeUndefined()
  })
})
