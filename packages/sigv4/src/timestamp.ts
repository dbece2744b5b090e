const digits = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14] as const

/** Epoch milliseconds as `YYYYMMDDTHHMMSSZ`, the ISO 8601 basic form every signature names; fractions are cut. */
export function formatTimestamp(epochMs: number): string {
  const iso = new Date(epochMs).toISOString()
  if (iso.length !== 24) throw new RangeError('The signing time must lie within the years 0 to 9999.')
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`
}

// The requests of one second all carry the same text.
let last: { readonly text: string; readonly epochMs: number | undefined } = { text: '', epochMs: undefined }

/** Epoch milliseconds of `YYYYMMDDTHHMMSSZ`; `undefined` for anything else, days that do not exist included. */
export function parseTimestamp(text: string): number | undefined {
  if (text !== last.text) last = { text, epochMs: readTimestamp(text) }
  return last.epochMs
}

function readTimestamp(text: string): number | undefined {
  if (text.length !== 16 || text[8] !== 'T' || text[15] !== 'Z') return undefined
  for (const index of digits) {
    const unit = text.charCodeAt(index)
    if (unit < 0x30 || unit > 0x39) return undefined
  }
  const month = Number(text.slice(4, 6)) - 1
  const day = Number(text.slice(6, 8))
  const hour = Number(text.slice(9, 11))
  const minute = Number(text.slice(11, 13))
  const second = Number(text.slice(13, 15))
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const date = new Date(0)
  // Not Date.UTC: it takes the years 0 to 99 for 1900 to 1999. Days that do not exist are carried over (31 February is 3 March).
  date.setUTCFullYear(Number(text.slice(0, 4)), month, day)
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return undefined
  return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000
}

/** Epoch milliseconds of an IMF-fixdate (RFC 9110 §5.6.7), `Fri, 24 May 2013 00:00:00 GMT`; `undefined` for anything else. */
export function parseHttpDate(text: string): number | undefined {
  if (text.length !== 29) return undefined
  const epochMs = Date.parse(text)
  return !Number.isNaN(epochMs) && new Date(epochMs).toUTCString() === text ? epochMs : undefined
}
