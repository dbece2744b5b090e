import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { codeBlocks } from '../../../tools/documents.ts'
import { createFixture, type Fixture, temporaryFolder } from './fixture.ts'

const bundle = fileURLToPath(new URL('../dist/kmsctl.mjs', import.meta.url))
const operations = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')

async function type(lines: string, { env }: Fixture, cwd: string): Promise<void> {
  const script = `set -euo pipefail\nkmsctl() { '${process.execPath}' '${bundle}' "$@"; }\n${lines}`
  await promisify(execFile)('bash', ['-c', script], { cwd, env: { PATH: process.env['PATH'] ?? '', ...env } })
}

it('the backup and the drill of operations.md work as they are printed', async () => {
  const [, section = ''] = operations.split('\n## Backup and restore of keys\n')
  const [backup = '', drill = '', ...more] = codeBlocks(section.split('\n## ')[0] as string)
    .filter(({ language }) => language === 'bash')
    .map(({ code }) => code)
  expect(more).toEqual([])
  const folder = temporaryFolder()

  const at = await createFixture()
  await at.json(
    'config',
    'set',
    '--set',
    'backend_type=local',
    `key_dir=${join(at.folder, 'keys')}`,
    'default_key_id=main',
  )
  await at.json('start')
  await at.json('keys', 'create', '--name', 'orders')
  await type(backup, at, folder)

  const other = await createFixture()
  await type(drill.replace('/var/lib/kms-drill', other.folder), other, folder)
  const plaintextOf = (file: string, field: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))[field]
  expect(plaintextOf('opened.json', 'plaintext')).toBe(plaintextOf('drill.json', 'plaintext_key'))
  expect((await other.kmsctl(['keys', 'list'])).out).toMatch(/^KEY .*\nmain .*\norders .*\n$/)
})
