import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const blocks = (language: string) =>
  Array.from(read('../README.md').matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs')), ([, text]) => text)

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each([
  [0, 'decide.ts', () => import('../examples/decide.ts')],
  [1, 'users.ts', () => import('../examples/users.ts')],
] as const)('example %i of the README', (index, name, run) => {
  it(`is examples/${name}`, () => {
    expect(blocks('ts')[index]).toBe(read(`../examples/${name}`))
  })

  it('and prints what the README says', async () => {
    const lines: string[] = []
    vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void lines.push(words.join(' ')))
    await run()
    expect(`${lines.join('\n')}\n`).toBe(blocks('text')[index])
  })
})

it('has no other examples', () => {
  expect([blocks('ts').length, blocks('text').length]).toEqual([2, 2])
})
