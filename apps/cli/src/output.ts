import type { KeyMetadata } from '@kms/client'
import { stringify } from 'yaml'

/** A reply for people (YAML) or programs (JSON). */
export function formatReply(reply: unknown, json: boolean): string {
  if (json) return `${JSON.stringify(reply, null, 2)}\n`
  const shown = typeof reply === 'object' && reply !== null && 'success' in reply ? withoutSuccess(reply) : reply
  return visible(stringify(shown, { lineWidth: 0 }))
}

function withoutSuccess(reply: object): object {
  return Object.fromEntries(Object.entries(reply).filter(([name]) => name !== 'success'))
}

/** Keys as a table. */
export function formatKeys(keys: readonly KeyMetadata[]): string {
  const rows = keys.map((key) => [
    key.key_id,
    key.key_state,
    `v${key.current_version}`,
    (key.rotated_at ?? key.creation_date).slice(0, 10),
    key.aliases.join(','),
    key.description,
  ])
  return formatTable(['KEY', 'STATE', 'VERSION', 'ROTATED', 'ALIASES', 'DESCRIPTION'], rows)
}

export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = [head, ...rows].map((row) => row.map(visible))
  const widths = head.map((_, column) => Math.max(...shown.map((row) => row[column]?.length ?? 0)))
  return shown
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] as number))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** What a server or a file says reaches the terminal without control sequences. */
export function visible(text: string): string {
  return text.replace(
    /[^\P{Cc}\n]|[\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
