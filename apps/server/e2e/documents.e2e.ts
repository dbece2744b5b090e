import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { codeBlocks } from '../../../tools/documents.ts'
import { requireTools, shell } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'
import { createAdmin } from './client.ts'
import { startServer, temporaryFolder } from './server-process.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The blocks for a shell that stand in a document below a heading. */
function blocksBelow(path: string, heading: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  const [, section = ''] = text.split(`\n## ${heading}\n`)
  return codeBlocks(section.split('\n## ')[0] as string)
    .filter(({ language }) => language === 'bash')
    .map(({ code }) => code)
}

it('what README and operations tell a reader to type works as it is printed', async ({ skip }) => {
  const bin = requireTools(findAwscurl(), skip)
  const folder = temporaryFolder()
  const server = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data') } })
  const [playbook = ''] = blocksBelow('README.md', 'The playbook in five minutes')
  const [users = ''] = blocksBelow('docs/operations.md', 'Users and policies')
  // What the reader copies from one reply into the next request.
  const copied = '\'"$(sed -E \'s/.*"ciphertext_blob": ?"([^"]*)".*/\\1/\' made.json)"\''
  const lines = `${playbook}\n${users}`
    .replace('pip install awscurl\n', '')
    .replace('"$@"; }', '--fail-with-body "$@"; }')
    .replace('$kms/generate-data-key', '$kms/generate-data-key | tee made.json')
    .replace('"ciphertext_blob": "…"', `"ciphertext_blob": "${copied}"`)
    .replaceAll('http://localhost:9000', server.url)
    .replace('/var/lib/rustfs/kms-keys', join(folder, 'keys'))
  const printed = await shell(`cd ${folder}\n${lines}`, bin)
  const admin = createAdmin(server.url)
  expect(printed).toContain('"status": "NotConfigured"')
  expect(printed).toContain('"plaintext"')
  expect(await admin.status()).toMatchObject({ status: 'Running', default_key_id: 'rustfs-master' })
  const settled = (await admin.get('config')).json()
  expect(settled).toMatchObject({ cache_ttl_seconds: 900 })
  // Ann was made, given two policies, disabled and removed again.
  expect(printed.match(/"success": true/g)?.length).toBeGreaterThanOrEqual(10)
})
