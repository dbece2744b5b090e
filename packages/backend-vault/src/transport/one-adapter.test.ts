import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('one file knows node-vault', () => {
  const src = new URL('../', import.meta.url)
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => /(?<!\.test)\.ts$/.test(name))
  const importers = files.filter((name) =>
    /from ['"](?:node-vault|axios)['"]/.test(readFileSync(new URL(name, src), 'utf8')),
  )
  expect(importers).toEqual(['transport/node-vault-transport.ts'])
})
