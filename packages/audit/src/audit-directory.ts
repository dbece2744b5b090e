import { readdir } from 'node:fs/promises'

/** The number in the name of an audit file, `audit-00000001.jsonl`. */
export interface AuditFileName {
  readonly name: string
  readonly index: number
}

const NAME = /^audit-(\d{8,15})\.jsonl$/

export function auditFileName(index: number): string {
  return `audit-${String(index).padStart(8, '0')}.jsonl`
}

/** The audit files of a directory, in the order they were written. */
export async function listAuditFiles(directory: string): Promise<AuditFileName[]> {
  const found = (await readdir(directory)).flatMap((name) => {
    const index = Number(NAME.exec(name)?.[1])
    return auditFileName(index) === name ? [{ name, index }] : []
  })
  return found.sort((a, b) => a.index - b.index)
}
