import { readFileSync } from 'node:fs'
import { afterEach, expect, it, vi } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const block = (language: string) => new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(read('../README.md'))?.[1]

afterEach(() => {
  vi.restoreAllMocks()
})

it('the example of the README is examples/keep-and-check.ts, and prints what the README says', async () => {
  expect(block('ts')).toBe(read('../examples/keep-and-check.ts'))
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void lines.push(words.join(' ')))
  await import('../examples/keep-and-check.ts')
  expect(`${lines.join('\n')}\n`).toBe(block('text'))
})
