import { findDuplicateMember } from './policy/duplicate-member.ts'
import { parsePolicy } from './policy/parse-policy.ts'
import type { Policy } from './policy/policy.ts'
import { isPolicyError } from './policy/policy-error.ts'

/** Makes the error for a place in a JSON document, as `users[0].secretKey`; empty for the document itself. */
export type JsonProblem = (path: string, problem: string) => Error

/**
 * The format number of a document a newer version wrote, or `undefined`. To be asked first: it may hold anything else.
 */
export function newerFormat(document: unknown): number | undefined {
  const format = typeof document === 'object' && document !== null && 'format' in document ? document.format : undefined
  return typeof format === 'number' && Number.isInteger(format) && format > 1 ? format : undefined
}

/** Strict readers of one kind of JSON document: whatever is not as expected throws what `problem` makes of it. */
export interface JsonReader {
  readonly problem: JsonProblem
  /** The value of a text of at most `maxLength` UTF-16 units, in which no object writes a member twice. */
  parse(text: string, maxLength: number): unknown
  /** The members of an object; every one of `required` is there and none but those and `optional`. */
  members(
    value: unknown,
    path: string,
    names: { readonly required: readonly string[]; readonly optional?: readonly string[] },
  ): ReadonlyMap<string, unknown>
  list(value: unknown, path: string): readonly unknown[]
  string(value: unknown, path: string): string
  /** An identity policy: its JSON text or the value of it. The path of what is wrong includes `path`. */
  policy(value: unknown, path: string): Policy
}

export function createJsonReader(problem: JsonProblem): JsonReader {
  return {
    problem,

    parse(text, maxLength) {
      if (text.length > maxLength) throw problem('', `is longer than ${maxLength} characters`)
      let value: unknown
      try {
        value = JSON.parse(text)
      } catch {
        // The parser's message quotes what stands there, which may be a secret.
        throw problem('', 'is not valid JSON')
      }
      if (findDuplicateMember(text) !== undefined) throw problem('', 'writes a member twice in one object; keep one')
      return value
    },

    members(value, path, { required, optional = [] }) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw problem(path, 'must be an object')
      const members = new Map(Object.entries(value))
      const missing = required.find((name) => !members.has(name))
      if (missing !== undefined) throw problem(path, `has no ${missing}`)
      const known = [...required, ...optional]
      for (const name of members.keys()) {
        if (!known.includes(name)) throw problem(path, `has an unknown member; allowed here are ${known.join(', ')}`)
      }
      return members
    },

    list(value, path) {
      if (!Array.isArray(value)) throw problem(path, 'must be an array')
      return value
    },

    string(value, path) {
      if (typeof value !== 'string') throw problem(path, 'must be a string')
      return value
    },

    policy(value, path) {
      try {
        return parsePolicy(value)
      } catch (error) {
        if (!isPolicyError(error)) throw error
        if (error.path === '') throw problem(path, error.message.replace(/^The policy /, ''))
        throw problem(`${path}.${error.path}`, error.message.slice(error.path.length + 1))
      }
    },
  }
}
