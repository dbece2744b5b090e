import { describe, expect, it } from 'vitest'
import { createComparison, walkedBlocks } from './walked-document.ts'

const ID = '4f9b03e4-b8a0-41e7-b9cb-367749f5cc86'
const OTHER = '0a9b03e4-b8a0-41e7-b9cb-367749f5cc86'
const THIRD = '1b9b03e4-b8a0-41e7-b9cb-367749f5cc86'

it('commands have the block that follows at once for what they print', () => {
  const fence = '```'
  const text = `# A
${fence}sh
npm start
${fence}

${fence}text
listening
${fence}

words

${fence}bash
one
${fence}
words
${fence}bash
two
${fence}
${fence}json
{}
${fence}
`
  expect(walkedBlocks(text)).toEqual([
    { language: 'sh', code: 'npm start\n', printed: 'listening\n', line: 3 },
    { language: 'bash', code: 'one\n', printed: undefined, line: 13 },
    { language: 'bash', code: 'two\n', printed: '{}\n', line: 17 },
  ])
  for (const lost of [`${fence}json\n{}\n${fence}\n`, `${fence}sh\na\n${fence}\nwords\n${fence}json\n{}\n${fence}\n`]) {
    expect(() => walkedBlocks(lost)).toThrow(/nobody prints this/)
  }
})

describe('what was printed', () => {
  const said = `{
  "status": "Running",
  "key_id": "${ID}",
  "revision": 3,
  "creation_date": "2026-11-24T09:55:30.962Z",
  "milliseconds": 20
}`
  const printed = said.replace(ID, OTHER).replace('09:55:30.962', '10:00:00.001').replace('20\n', '7\n')

  it('may have other ids, times and durations', () => {
    expect(createComparison()(said, printed)).toBeUndefined()
    expect(createComparison()(`${said}\n`, printed.replaceAll('\n', '\r\n'))).toBeUndefined()
    expect(createComparison()('', '')).toBeUndefined()
  })

  it.each<[string, (text: string) => string]>([
    ['another name of a field', (text) => text.replace('"revision"', '"version"')],
    ['another name where a variable is', (text) => text.replace('"key_id"', '"key"')],
    ['another value', (text) => text.replace('Running', 'Configured')],
    ['another number', (text) => text.replace('3,', '4,')],
    ['a number for a text', (text) => text.replace('"Running"', '0')],
    ['no id where one was', (text) => text.replace(OTHER, 'null')],
    ['a time for an id', (text) => text.replace(OTHER, '2026-11-24T09:55:30.962Z')],
    ['no time where one was', (text) => text.replace('"2026-11-24T10:00:00.001Z"', 'null')],
    ['another indentation', (text) => text.replace('  "status"', '    "status"')],
    ['a line less', (text) => text.replace('  "revision": 3,\n', '')],
    ['a line more', (text) => text.replace('  "revision"', '  "more": 1,\n  "revision"')],
    ['less at the end', (text) => text.slice(0, -2)],
    ['more at the end', (text) => `${text}\nmore`],
    ['nothing', () => ''],
  ])('with %s is a difference', (_, change) => {
    expect(change(printed)).not.toBe(printed)
    expect(createComparison()(said, change(printed))).toEqual(expect.any(String))
  })

  it('calls the same thing by the same id all along', () => {
    const compare = createComparison()
    expect(compare(`made ${ID}`, `made ${OTHER}`)).toBeUndefined()
    expect(compare(`used ${ID}`, `used ${OTHER}`)).toBeUndefined()
    expect(compare(`used ${ID}`, `used ${THIRD}`)).toContain('another id elsewhere')
    expect(compare(`made ${THIRD}`, `made ${OTHER}`)).toContain('another id elsewhere')
    expect(
      compare('two of "0123456789abcdef0123456789abcdef"', 'two of "f123456789abcdef0123456789abcdef"'),
    ).toBeUndefined()
    const blob = 'A'.repeat(44)
    expect(compare(`"${blob}"`, `"${'B'.repeat(44)}"`)).toBeUndefined()
    expect(compare(`"${blob}"`, `"${'C'.repeat(44)}"`)).toContain('another base64')
  })
})
