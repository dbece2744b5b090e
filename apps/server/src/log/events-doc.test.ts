import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { type EventName, eventCatalogue } from './event-catalogue.ts'

const path = fileURLToPath(new URL('../../../../docs/events.md', import.meta.url))
const sources = fileURLToPath(new URL('..', import.meta.url))

function eventsTable(): string {
  const rows = Object.entries(eventCatalogue).map(([event, { part, level, message, fields, meaning }]) => {
    const target = part === 'backend' ? 'backend::<type>' : part
    const names = Object.keys(fields).map((name) => `\`${name}\``)
    return `| \`${event}\` | ${level} | \`${target}\` | ${names.join(' ')} | ${message} ${meaning} |`
  })
  return ['| event | level | target | fields | says; means |', '|---|---|---|---|---|', ...rows].join('\n')
}

it('the table in docs/events.md is the catalogue (vitest -u writes it)', async () => {
  const text = readFileSync(path, 'utf8')
  const marked = /(<!-- events -->\n)[\s\S]*(<!-- \/events -->)/
  expect(text).toMatch(marked)
  const expected = text.replace(marked, (_, open: string, close: string) => `${open}${eventsTable()}\n${close}`)
  await expect(expected).toMatchFileSnapshot(path)
})

it('every event of the catalogue is one that something logs', () => {
  const code = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.endsWith('event-catalogue.ts'))
    .map((name) => readFileSync(`${sources}/${name}`, 'utf8'))
    .join('\n')
  // Core's events are handed on by their own names.
  const own = (Object.keys(eventCatalogue) as EventName[]).filter((event) => eventCatalogue[event].part !== 'manager')
  expect(own.filter((event) => !code.includes(`'${event}'`))).toEqual([])
})

it('names in the catalogue are snake_case, and none is a member every line has', () => {
  for (const [event, { fields }] of Object.entries(eventCatalogue)) {
    for (const name of [event, ...Object.keys(fields)]) expect(name).toMatch(/^[a-z]+(?:_[a-z]+)*$/)
    for (const name of ['level', 'time', 'target', 'event', 'msg']) expect(fields).not.toHaveProperty(name)
  }
})
