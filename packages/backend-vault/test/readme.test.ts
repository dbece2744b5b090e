import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { makeToken } from '../../../tools/openbao/prepare.ts'
import { liveVault } from './live-vault.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const block = (language: string): string | undefined =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(read('../README.md'))?.[1]

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

it('the example of the README is examples/open-store.ts', () => {
  expect(block('ts')).toBe(read('../examples/open-store.ts'))
})

describe('on a real server', () => {
  const vault = liveVault()

  it('the example prints what the README says', async () => {
    const { server } = vault
    vi.stubEnv('VAULT_ADDR', server.address)
    vi.stubEnv('VAULT_TOKEN', await makeToken(server))
    vi.stubEnv('VAULT_CACERT_PEM', server.ca)
    const lines: string[] = []
    vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void lines.push(words.map(String).join(' ')))
    await import('../examples/open-store.ts')
    expect(`${lines.join('\n')}\n`).toBe(block('text'))
  })
})
