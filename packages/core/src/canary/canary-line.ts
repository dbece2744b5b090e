import { crc32 } from 'node:zlib'

/** The first line of a log. */
export interface HeaderLine {
  readonly format: number
  readonly realm: string
}

/** What a log says of a key: a canary, or the version at which it was destroyed. */
export type KeyLine =
  | { readonly key: string; readonly version: number; readonly envelope: string; readonly sha256: string }
  | { readonly key: string; readonly destroyed: number }

export type CanaryLine = HeaderLine | KeyLine

/** A line, with its end: JSON, a tab, and the CRC-32 of the JSON in eight hex digits. */
export function formatLine(line: CanaryLine): string {
  const json = JSON.stringify(line)
  return `${json}\t${checksum(json)}\n`
}

/** A line without its end; `undefined` when it is not what was written. */
export function parseLine(text: string): CanaryLine | undefined {
  const tab = text.lastIndexOf('\t')
  const json = text.slice(0, tab)
  if (tab === -1 || text.slice(tab + 1) !== checksum(json)) return undefined
  return JSON.parse(json) as CanaryLine
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
