import { readFileSync } from 'node:fs'
import { afterEach, expect, it, vi } from 'vitest'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const block = (language: string): string | undefined =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(read('../README.md'))?.[1]

afterEach(() => {
  vi.restoreAllMocks()
})

it('the first example of the README is examples/serve.ts', () => {
  expect(block('ts')).toBe(read('../examples/serve.ts'))
})

it('and prints what the README says', async () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => {
    lines.push(words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))).join(' '))
  })
  await import('../examples/serve.ts')
  expect(`${lines.join('\n')}\n`).toBe(block('text'))
})
