import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTestIo } from '../test/test-io.ts'
import type { Io } from './io.ts'
import { runKmsctl } from './kmsctl.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kmsctl-archives-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Runs with somebody at the terminal who types these, and no server. */
async function ask(words: readonly string[], ...typed: readonly string[]) {
  const questions: string[] = []
  const answers = [...typed]
  const { io, said } = createTestIo({ env: { KMSCTL_ENDPOINT: 'http://127.0.0.1:1' } })
  const asking: Io = {
    ...io,
    askSecret: async (question) => {
      questions.push(question)
      return answers.shift() as string
    },
  }
  const code = await runKmsctl(words, asking)
  return { code, questions, said }
}

it('asks for a passphrase, twice for a backup, and sends nothing when the two differ', async () => {
  const words = ['backup', '--out', join(folder, 'archive')]
  const differ = await ask(words, 'correct horse battery', 'correct horse batteries')
  expect([differ.code, differ.questions.length]).toEqual([2, 2])
  expect(differ.said.err).toContain('not the same')
  const alike = await ask(words, 'correct horse battery', 'correct horse battery')
  // There is no server.
  expect([alike.code, alike.questions.length]).toEqual([6, 2])
  expect(JSON.stringify([differ.said, alike.said])).not.toContain('correct horse')
  expect(readdirSync(folder)).toEqual([])
  expect((await ask(words, '', '')).code).toBe(2)
})

it('asks once for a restore, and after it has found the archive', async () => {
  const absent = await ask(['restore', join(folder, 'absent')])
  expect([absent.code, absent.questions]).toEqual([2, []])
  writeFileSync(join(folder, 'archive'), 'KMSA')
  const there = await ask(['restore', join(folder, 'archive')], 'correct horse battery')
  expect([there.code, there.questions.length]).toEqual([6, 1])
})
