import { codeBlocks } from './documents.ts'

/** Commands of a document that is to be walked, and what it says they print. */
export interface WalkedBlock {
  /** `bash` goes on in one terminal; `sh` is for a terminal of its own, or done once. */
  readonly language: 'bash' | 'sh'
  readonly code: string
  /** The block that follows at once; undefined where none does, and nothing may be printed. */
  readonly printed: string | undefined
  readonly line: number
}

/** The commands of a document from top to bottom. Throws when a block of another language follows no commands. */
export function walkedBlocks(text: string): WalkedBlock[] {
  const lines = text.split('\n')
  const walked: WalkedBlock[] = []
  /** Line behind the last block of commands, while nothing but blank lines came since. */
  let open: number | undefined
  for (const { language, code, line } of codeBlocks(text)) {
    const end = line + code.split('\n').length
    if (language === 'bash' || language === 'sh') {
      walked.push({ language, code, printed: undefined, line })
      open = end
      continue
    }
    const follows = open !== undefined && lines.slice(open - 1, line - 2).every((each) => each.trim() === '')
    if (!follows) throw new Error(`line ${line}: nobody prints this`)
    walked.push({ ...(walked.pop() as WalkedBlock), printed: code })
    open = undefined
  }
  return walked
}

/** What may differ between two walks. */
const VARIABLES = [
  { kind: 'id', source: String.raw`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`, same: true },
  { kind: 'hexadecimal', source: String.raw`\b[0-9a-f]{32}\b`, same: true },
  { kind: 'time', source: String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`, same: false },
  { kind: 'seconds', source: String.raw`\b\d{10}\b`, same: false },
  { kind: 'milliseconds', source: String.raw`(?<="milliseconds": )\d+`, same: false },
  { kind: 'base64', source: String.raw`(?<=")[A-Za-z0-9+/]{40,}={0,2}(?=")`, same: true },
] as const

const VARIABLE = new RegExp(VARIABLES.map(({ kind, source }) => `(?<${kind}>${source})`).join('|'), 'g')

interface Piece {
  readonly kind: (typeof VARIABLES)[number]['kind'] | 'text'
  readonly text: string
}

/**
 * Compares what a document says with what was printed: letter by letter, but for ids, times, durations and ciphertexts,
 * which must be there and of the same form. An id that stands in the document several times must be one id in all that is
 * printed, and two must be two. Returns the first line that differs.
 */
export function createComparison(): (said: string, printed: string) => string | undefined {
  const meanings = new Map<string, string>()
  const taken = new Map<string, string>()
  const isSame = (said: string, printed: string): boolean => {
    const known = meanings.get(said)
    if (known !== undefined || taken.has(printed)) return known === printed
    meanings.set(said, printed)
    taken.set(printed, said)
    return true
  }
  return (said, printed) => {
    const saidLines = linesOf(said)
    const printedLines = linesOf(printed)
    for (const [index, line] of saidLines.entries()) {
      const found = printedLines[index]
      if (found === undefined) return `"${line}" was not printed`
      const difference = differ(piecesOf(line), piecesOf(found), isSame)
      if (difference !== undefined) return `"${line}" was printed as "${found}"${difference}`
    }
    const more = printedLines[saidLines.length]
    return more === undefined ? undefined : `"${more}" was printed, too`
  }
}

function differ(
  said: readonly Piece[],
  printed: readonly Piece[],
  isSame: (said: string, printed: string) => boolean,
): string | undefined {
  if (said.length !== printed.length) return ''
  for (const [index, { kind, text }] of said.entries()) {
    const found = printed[index] as Piece
    if (kind !== found.kind) return ''
    if (
      kind === 'text'
        ? text !== found.text
        : VARIABLES.some((each) => each.kind === kind && each.same) && !isSame(text, found.text)
    ) {
      return kind === 'text' ? '' : `: "${text}" is another ${kind} elsewhere`
    }
  }
  return undefined
}

function piecesOf(line: string): Piece[] {
  const pieces: Piece[] = []
  let end = 0
  for (const { 0: text, index, groups = {} } of line.matchAll(VARIABLE)) {
    pieces.push({ kind: 'text', text: line.slice(end, index) })
    const kind = VARIABLES.find((each) => groups[each.kind] !== undefined)?.kind ?? 'text'
    pieces.push({ kind, text })
    end = index + text.length
  }
  return [...pieces, { kind: 'text', text: line.slice(end) }]
}

/** Ends of lines as a terminal shows them; the last one is not seen. */
function linesOf(text: string): string[] {
  const shown = text.replaceAll('\r\n', '\n').replace(/\n+$/, '')
  return shown === '' ? [] : shown.split('\n')
}
