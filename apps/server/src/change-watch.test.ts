import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createChangeWatch } from './change-watch.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kms-watch-'))
  path = join(folder, 'file')
  writeFileSync(path, 'one')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it.each<[string, () => void]>([
  ['has another length', () => writeFileSync(path, 'longer')],
  ['has another time', () => utimesSync(path, 1, 1)],
  [
    'was replaced by one of the same length and time',
    () => {
      writeFileSync(`${path}.new`, 'two')
      renameSync(`${path}.new`, path)
    },
  ],
  ['is gone', () => rmSync(path)],
])('tells, once, when the file %s', async (_, change) => {
  const watch = await createChangeWatch(path)
  expect(await watch.changed()).toBe(false)
  change()
  expect([await watch.changed(), await watch.changed()]).toEqual([true, false])
})

it('tells when a file comes back', async () => {
  rmSync(path)
  const watch = await createChangeWatch(path)
  expect(await watch.changed()).toBe(false)
  writeFileSync(path, 'one')
  expect(await watch.changed()).toBe(true)
})
