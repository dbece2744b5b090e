import { expect, it } from 'vitest'
import { formatReply, formatTable } from './output.ts'

it('prints the reply itself for programs, and YAML for people', () => {
  const reply = { success: true, message: 'Done.', keys: [{ a: 1 }] }
  expect(JSON.parse(formatReply(reply, true))).toEqual(reply)
  expect(formatReply(reply, false)).toBe('message: Done.\nkeys:\n  - a: 1\n')
  expect(formatReply({ status: { Error: 'x' } }, false)).toBe('status:\n  Error: x\n')
})

it('lets no control sequence of a server reach the terminal', () => {
  const evil = '\u001b[31mred\u0007'
  expect(formatTable(['A'], [[evil]])).toBe('A\n\\u001b[31mred\\u0007\n')
  expect(formatReply({ a: evil }, false)).not.toContain('\u001b')
})
