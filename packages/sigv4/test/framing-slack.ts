/** Where the framing leaves a choice: sizes and names count in any case, and blanks may surround a trailer's value. */
export interface Slack {
  readonly caseless: readonly (readonly [start: number, end: number])[]
  readonly leadingZero: readonly number[]
  readonly blank: readonly number[]
}

/** Finds it in a well-formed body. */
export function slackOf(wire: Buffer, lengths: readonly number[]): Slack {
  const caseless: [number, number][] = []
  const leadingZero: number[] = []
  const blank: number[] = []
  let at = 0
  for (const length of [...lengths, 0]) {
    const digits = length.toString(16).length
    caseless.push([at, at + digits])
    leadingZero.push(at, ...(length === 0 ? [at + digits] : []))
    at = wire.indexOf('\r\n', at) + 2 + (length === 0 ? 0 : length + 2)
  }
  for (let end = wire.indexOf('\r\n', at); end > at; at = end + 2, end = wire.indexOf('\r\n', at)) {
    const colon = wire.indexOf(':', at)
    caseless.push([at, colon])
    blank.push(colon + 1, end)
  }
  return { caseless, leadingZero, blank }
}
