import type { Facts } from './facts.ts'
import { toGlob } from './glob.ts'
import { policyError } from './policy-error.ts'

interface Variable {
  /** Condition key, lower case. */
  readonly key: string
  readonly fallback: string | undefined
}

/** A policy value: literal parts (as globs where wildcards count) and policy variables between them. */
export type Template = readonly (string | Variable)[]

export interface TemplateOptions {
  /** Where the value stands in the document, for errors. */
  readonly path: string
  /** Whether `${…}` means something: Version 2012-10-17 only. */
  readonly variables: boolean
  /** Whether `*` and `?` are wildcards. */
  readonly wildcards: boolean
}

/**
 * Grammar of the AWS page "IAM policy elements: Variables and tags": `${key}`, `${key, 'default'}` and the escapes
 * `${*}`, `${?}`, `${$}`. An unfinished or misspelt `${` is refused: as plain text it would silently match nothing.
 */
export function parseTemplate(source: string, options: TemplateOptions): Template {
  const literal = options.wildcards ? toGlob : (text: string) => text
  if (!options.variables) return [literal(source)]
  const parts: (string | Variable)[] = []
  let pending = ''
  let from = 0
  for (;;) {
    const open = source.indexOf('${', from)
    if (open < 0) break
    pending += literal(source.slice(from, open))
    const { content, end } = readVariable(source, open, options.path)
    if (typeof content === 'string') {
      pending += content
    } else {
      if (pending !== '') parts.push(pending)
      parts.push(content)
      pending = ''
    }
    from = end
  }
  pending += literal(source.slice(from))
  if (pending !== '' || parts.length === 0) parts.push(pending)
  return parts
}

/** The value with its variables replaced, or `undefined` when one of them has no single value and no default. */
export function expandTemplate(template: Template, facts: Facts): string | undefined {
  if (template.length === 1 && typeof template[0] === 'string') return template[0]
  let expanded = ''
  for (const part of template) {
    const text = typeof part === 'string' ? part : resolve(part, facts)
    if (text === undefined) return undefined
    expanded += text
  }
  return expanded
}

function resolve(variable: Variable, facts: Facts): string | undefined {
  const values = facts(variable.key)
  if (values === undefined) return variable.fallback
  const [value] = values
  // Multivalued keys can't be variables (AWS). A lone surrogate in a value could be read as one of our wildcards.
  return values.length === 1 && value?.isWellFormed() ? value : undefined
}

const VARIABLE = /\$\{(?:([*?$])|([A-Za-z0-9.-]+:[^\s,'{}$*?]+)\s*(?:,\s*'([^']*)'\s*)?)\}/y

function readVariable(source: string, open: number, path: string): { content: string | Variable; end: number } {
  VARIABLE.lastIndex = open
  const match = VARIABLE.exec(source)
  if (match === null) {
    throw policyError(
      path,
      "holds an unfinished or unknown policy variable; write ${aws:key}, ${aws:key, 'default'}, or ${$} for a dollar sign",
    )
  }
  const [, escaped, key = '', fallback] = match
  return { content: escaped ?? { key: key.toLowerCase(), fallback }, end: VARIABLE.lastIndex }
}
