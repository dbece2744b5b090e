/** Why a text was refused, with the place where it helps. */
export type StrictJsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string }

/**
 * Parses JSON (RFC 8259) and refuses what `JSON.parse` silently accepts and this product may not: duplicate names in
 * an object (the last one would win), lone surrogates, and nesting deeper than `maxDepth` (default 16).
 */
export function parseStrictJson(text: string, maxDepth = 16): StrictJsonResult {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { ok: false, reason: 'the body is not valid JSON' }
  }
  const reason = findDefect(text, maxDepth)
  return reason === undefined ? { ok: true, value } : { ok: false, reason }
}

/** Scans a text that is known to be valid JSON. */
function findDefect(text: string, maxDepth: number): string | undefined {
  // One entry per open container: the names seen so far in an object, undefined for an array.
  const open: (Set<string> | undefined)[] = []
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '{':
      case '[':
        if (open.length === maxDepth) return `the body is nested deeper than ${maxDepth} levels`
        open.push(text[i] === '{' ? new Set() : undefined)
        break
      case '}':
      case ']':
        open.pop()
        break
      case '"': {
        const end = endOfString(text, i)
        const raw = text.slice(i, end + 1)
        const string = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1)
        if (!string.isWellFormed()) return 'the body holds a string that is not well-formed Unicode'
        const names = open.at(-1)
        if (names !== undefined && isName(text, end + 1)) {
          if (names.has(string)) return `the name ${JSON.stringify(string.slice(0, 64))} stands twice in one object`
          names.add(string)
        }
        i = end
        break
      }
      default:
    }
  }
  return undefined
}

/** The closing quote is the first one that is not escaped: with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text[before] === '\\') before--
    if ((end - before) % 2 === 1) return end
  }
}

function isName(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const c = text[i]
    if (c !== ' ' && c !== '\n' && c !== '\r' && c !== '\t') return c === ':'
  }
  return false
}
