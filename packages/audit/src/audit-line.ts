import { createHash } from 'node:crypto'

/** Where a line stands: which chain, which place in it, and the hash of the line before. */
export interface LinePlace {
  /** From 1 on, in every chain. */
  readonly seq: number
  /** 32 hex digits, of the writer that wrote it. */
  readonly chain: string
  /** Hex SHA-256 of the bytes of the line before, its line end left out; of the first line there ever was, 64 zeros. */
  readonly prev: string
}

/** A line as it stands in a file, read back. */
export type AuditLine = LinePlace & { readonly type: string; readonly time: string } & Readonly<Record<string, unknown>>

/** `prev` of the first line of the first file. */
export const NOTHING_BEFORE: string = '0'.repeat(64)

/** The text of a line, without its end. Members that are `undefined` are left out. */
export function lineText(place: LinePlace, type: string, time: string, members: object): string {
  const { seq, chain, prev } = place
  return JSON.stringify({ seq, chain, prev, type, time, ...members })
}

/** What the next line names as `prev`. */
export function lineHash(line: string | Uint8Array): string {
  return createHash('sha256').update(line).digest('hex')
}

/**
 * Reads a line, without its end; says what is wrong with it otherwise. Only the very bytes a writer makes are taken: no other
 * spelling of the same members can hide a change.
 */
export function parseLine(text: string): AuditLine | { readonly problem: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { problem: 'is not JSON' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { problem: 'is not a JSON object' }
  if (JSON.stringify(value) !== text) return { problem: 'is not spelled as a writer spells it' }
  const { seq, chain, prev, type, time } = value as Partial<AuditLine>
  const placed = Number.isSafeInteger(seq) && isHex(chain, 32) && isHex(prev, 64)
  if (!placed || typeof type !== 'string' || typeof time !== 'string') return { problem: 'has no place in a chain' }
  return value as AuditLine
}

export function isHex(value: unknown, digits: number): value is string {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]*$/.test(value)
}
