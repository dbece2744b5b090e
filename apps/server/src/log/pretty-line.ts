/** Members every line has; the rest is shown behind the message. */
const COMMON = new Set(['level', 'time', 'target', 'msg'])

/** A line of the JSON log for a human: time, level, target, message, the other members as `name=value`. */
export function prettyLine(line: string): string {
  const record = JSON.parse(line) as Record<string, unknown>
  const rest = Object.entries(record)
    .filter(([name]) => !COMMON.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const time = String(record['time']).slice(11, 23)
  const level = String(record['level']).toUpperCase().padEnd(5)
  // Values may come from a request: nothing in them reaches the terminal as a control sequence.
  const shown = `${time} ${level} ${String(record['target'])} ${String(record['msg'])}${rest.join('')}`.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `${shown}\n`
}
