import { readFile } from 'node:fs/promises'
import { expect, test, vi } from 'vitest'
import { sigV4ErrorStatuses } from '../src/index.ts'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
const exampleUrl = new URL('../examples/authenticate.ts', import.meta.url)

test('the example is the file in examples/, and prints what its comments say', async () => {
  const example = await readFile(exampleUrl, 'utf8')
  expect(/```ts\n(.*?)```/s.exec(readme)?.[1]).toBe(example)
  const log = vi.spyOn(console, 'log').mockReturnValue(undefined)
  await import(exampleUrl.href)
  expect(log.mock.calls.flat()).toEqual([...example.matchAll(/\) \/\/ (.*)$/gm)].map((match) => match[1]))
  expect(log).toHaveBeenCalledTimes(2)
  log.mockRestore()
})

test('the table of errors is the catalogue', () => {
  const rows = [...readme.matchAll(/^\| `(\w+)` +\| (\d{3}) +\|/gm)].map(([, code, status]) => [code, Number(status)])
  expect(rows).toEqual(Object.entries(sigV4ErrorStatuses))
})
