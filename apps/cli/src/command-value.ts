import type { CommandField } from './command-table.ts'
import { usageError } from './exit-codes.ts'
import type { Io } from './io.ts'
import { readText } from './session.ts'

/** The value of a field from the words of the command line; several for what may be repeated. */
export async function readValue(
  { kind, field }: CommandField,
  given: string | boolean | readonly string[],
  io: Pick<Io, 'readStdin'>,
): Promise<unknown> {
  if (kind === 'flag') return true
  const texts = Array.isArray(given) ? (given as readonly string[]) : [String(given)]
  const [text = ''] = texts
  switch (kind) {
    case 'text':
      return text
    case 'list':
      return text.split(',')
    case 'integer':
      return readInteger(field, text)
    case 'integer-or-never':
      return text === 'never' ? null : readInteger(field, text)
    case 'pairs':
      return readPairs(texts)
    case 'secret-file':
      return (text === '-' ? await io.readStdin() : readText(text)).replace(/\r?\n$/, '')
  }
}

function readInteger(field: string, text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw usageError(`${field}: ${text} is no whole number`)
  return Number(text)
}

/** `name=value` of each text. */
export function readPairs(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map(readPair))
}

function readPair(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw usageError(`${text}: expected name=value`)
  return [text.slice(0, at), text.slice(at + 1)]
}
