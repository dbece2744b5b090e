import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/** A document of the repository. */
export interface MarkdownDocument {
  /** Relative to the root. */
  readonly path: string
  readonly text: string
}

/** A fenced block, and where it begins. */
export interface CodeBlock {
  readonly language: string
  readonly code: string
  /** Of its first line, from 1 on. */
  readonly line: number
}

/** Every Markdown file that is kept. */
export function readDocuments(root: string): MarkdownDocument[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  })
  return listed
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

export function codeBlocks(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const [, fence, language] = /^(`{3,})(\w*)\s*$/.exec(lines[i] as string) ?? []
    if (fence === undefined) continue
    const start = i + 1
    for (i++; i < lines.length && lines[i] !== fence; i++);
    blocks.push({ language: language ?? '', code: `${lines.slice(start, i).join('\n')}\n`, line: start + 1 })
  }
  return blocks
}

/** The anchors a reader can be sent to: headings, as GitHub spells them. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, title = ''] of withoutCode(text).matchAll(/^#{1,6} +(.*?) *$/gm)) {
    const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*_]/g, '')
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- ]/gu, '')
      .replaceAll(' ', '-')
    let unique = slug
    for (let n = 1; anchors.has(unique); n++) unique = `${slug}-${n}`
    anchors.add(unique)
  }
  return anchors
}

/** Links that lead nowhere: a file that is not there, or an anchor that is not in it. Other sites are not asked. */
export function brokenLinks(root: string, documents: readonly MarkdownDocument[]): string[] {
  const anchors = new Map(documents.map(({ path, text }) => [path, anchorsOf(text)]))
  return documents.flatMap(({ path, text }) =>
    [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
      if (/^[a-z]+:/.test(target)) return []
      const [file = '', anchor] = target.split('#')
      const place = file === '' ? path : relative(root, resolve(root, dirname(path), file))
      if (place.startsWith('..') || !existsSync(join(root, place))) return [`${path}: ${target} is not there`]
      if (anchor === undefined) return []
      const page = statSync(join(root, place)).isDirectory() ? join(place, 'README.md') : place
      return anchors.get(page)?.has(anchor) === true ? [] : [`${path}: there is no #${anchor} in ${page}`]
    }),
  )
}

function withoutCode(text: string): string {
  return text
    .replace(/^(`{3,})\w*\s*\n[\s\S]*?^\1$/gm, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ''))
}
