import { parse } from 'yaml'
import { usageError } from './exit-codes.ts'
import type { Io } from './io.ts'
import { readText } from './session.ts'

/** Reads JSON or YAML from a file, or from standard input for `-`, and fills in what it takes from elsewhere. */
export async function readDocument(path: string, io: Pick<Io, 'env' | 'readStdin'>): Promise<unknown> {
  const text = path === '-' ? await io.readStdin() : readText(path)
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    throw usageError(`${path} is neither JSON nor YAML: ${(error as Error).message.split('\n')[0]}`, error)
  }
  return fillIn(value, io, path)
}

/**
 * `{$env: NAME}` stands for a variable of the environment and `{$file: path}` for the contents of a file without its last
 * line end: secrets need not be in the document.
 */
function fillIn(value: unknown, io: Pick<Io, 'env'>, where: string): unknown {
  if (Array.isArray(value)) return value.map((inner) => fillIn(inner, io, where))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [[name, source] = []] = entries
  if (entries.length === 1 && typeof source === 'string') {
    if (name === '$file') return readText(source).replace(/\r?\n$/, '')
    if (name === '$env') {
      const found = io.env[source]
      if (found === undefined) throw usageError(`${where} takes a value from ${source}, which is not set.`)
      return found
    }
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, fillIn(inner, io, where)]))
}

/** `a.b=1` settings over a document: values are JSON where they can be read as such, else text. */
export function withSettings(document: unknown, settings: readonly string[]): Record<string, unknown> {
  const result = structuredClone(document ?? {}) as Record<string, unknown>
  for (const setting of settings) {
    const [, path, text] = /^([^=]+)=(.*)$/s.exec(setting) ?? []
    if (path === undefined || text === undefined) throw usageError(`--set ${setting}: expected field=value`)
    const names = path.split('.')
    let inner = result
    for (const name of names.slice(0, -1)) {
      const next = inner[name]
      inner[name] = typeof next === 'object' && next !== null ? next : {}
      inner = inner[name] as Record<string, unknown>
    }
    inner[names.at(-1) as string] = jsonOrText(text)
  }
  return result
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
