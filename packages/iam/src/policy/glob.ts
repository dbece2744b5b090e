/**
 * A glob is a string in which two lone surrogates stand for the wildcards. Policies and substituted values are
 * well-formed Unicode, so neither can contain them: a `*` that came from a value or from `${*}` stays a plain character.
 */
const ANY = '\uDC00'
const ONE = '\uDC01'
const ANY_CODE = ANY.charCodeAt(0)
const ONE_CODE = ONE.charCodeAt(0)

/** The glob matching whatever `pattern` matches when `*` is any run of characters and `?` is exactly one. */
export function toGlob(pattern: string): string {
  return pattern.replace(/\*+/g, ANY).replaceAll('?', ONE)
}

/**
 * Whether the whole of `text` matches. Case-sensitive; `?` takes one Unicode code point.
 *
 * Only the last `*` passed is ever retried, so the cost is at most |text| × the longest part between two stars:
 * linear in the text, whatever the number of stars.
 */
export function matchGlob(glob: string, text: string): boolean {
  let g = 0
  let t = 0
  let star = -1
  let retry = 0
  while (t < text.length) {
    const wanted = glob.charCodeAt(g)
    if (wanted === ANY_CODE) {
      star = g
      g += 1
      if (g === glob.length) return true
      retry = t
    } else if (wanted === ONE_CODE) {
      g += 1
      t += characterLength(text, t)
    } else if (wanted === text.charCodeAt(t)) {
      g += 1
      t += 1
    } else if (star >= 0) {
      retry += characterLength(text, retry)
      t = retry
      g = star + 1
    } else {
      return false
    }
  }
  while (glob.charCodeAt(g) === ANY_CODE) g += 1
  return g === glob.length
}

/** Whether the glob is `<literal>*` and so matches every text that starts with `prefix`. May answer no too often. */
export function coversPrefix(glob: string, prefix: string): boolean {
  return glob.endsWith(ANY) && prefix.startsWith(glob.slice(0, -1))
}

/** Whether the glob matches at least one text longer than `prefix` that starts with it. */
export function reachesPrefix(glob: string, prefix: string): boolean {
  let states = new Set([0])
  for (const character of prefix) {
    const next = new Set<number>()
    for (const state of withStarsSkipped(states, glob)) {
      const wanted = glob[state]
      if (wanted === ANY) next.add(state)
      else if (wanted === ONE) next.add(state + 1)
      else if (glob.startsWith(character, state)) next.add(state + character.length)
    }
    states = next
  }
  for (const state of states) if (state < glob.length) return true
  return false
}

function withStarsSkipped(states: Iterable<number>, glob: string): Set<number> {
  const all = new Set(states)
  for (const state of all) if (glob[state] === ANY) all.add(state + 1)
  return all
}

function characterLength(text: string, index: number): 1 | 2 {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1
}
