const W3C =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d{2}):(\d{2})))?)?)?$/

/**
 * Milliseconds since 1970 of a date in one of the W3C forms of ISO 8601 (`2026`, `2026-01`, `2026-01-31`,
 * `2026-01-31T10:00Z`, `…:00.5+02:00`) or in epoch seconds, or `undefined`. AWS accepts both in Date conditions. Four
 * digits are a year. Days that no calendar has are refused.
 */
export function parseDateTime(text: string): number | undefined {
  const match = W3C.exec(text)
  if (match === null) return /^\d{1,12}$/.test(text) ? Number(text) * 1000 : undefined
  const [, year, month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = ''] = match
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}Z`
  const time = Date.parse(local)
  // Date.parse rolls 30 February over into March; only a date that survives the round trip exists.
  if (Number.isNaN(time) || new Date(time).toISOString() !== local) return undefined
  const [sign, offsetHours = '0', offsetMinutes = '0'] = match.slice(8)
  if (sign === undefined) return time
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000
  return sign === '-' ? time + offset : time - offset
}
