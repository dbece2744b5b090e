import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { createTestIo } from '../test/test-io.ts'
import { runKmsctl } from './kmsctl.ts'

async function script(shell: string): Promise<string> {
  const { io, said } = createTestIo()
  expect(await runKmsctl(['completion', shell], io)).toBe(0)
  return said.out
}

it.each([
  ['kmsctl ke', ['keys']],
  ['kmsctl keys ro', ['rotate', 'rotation-period']],
  ['kmsctl --profile x keys ena', ['enable']],
  ['kmsctl keys create --na', ['--name']],
  ['kmsctl objects pu', ['put']],
  ['kmsctl objects put file bucket/key --sse-', ['--sse-kms-key-id']],
  ['kmsctl restore keys.kmsa --con', ['--conflict']],
  ['kmsctl audit verify /somewhere --exp', ['--expect-head']],
])('bash completes %j', async (line, expected) => {
  const words = line.split(' ')
  const program = `${await script('bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _kmsctl; printf '%s\\n' "\${COMPREPLY[@]}"`
  const found = execFileSync('bash', ['-c', program], { encoding: 'utf8' }).trim().split('\n')
  expect([...new Set(found)].toSorted()).toEqual(expected.toSorted())
})

it('zsh and fish get scripts too, and nobody else', async () => {
  expect(await script('zsh')).toMatch(/^#compdef kmsctl\n/)
  expect(await script('fish')).toContain("complete -c kmsctl -n '__fish_use_subcommand' -a '")
  expect(await runKmsctl(['completion', 'tcsh'], createTestIo().io)).toBe(2)
})
