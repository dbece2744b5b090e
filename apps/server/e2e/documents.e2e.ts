import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { codeBlocks } from '../../../tools/documents.ts'
import { createAdmin } from './client.ts'
import { createReader, readDocument } from './reader.ts'

/** The blocks for a shell that stand in a document below a heading. */
function blocksBelow(path: string, heading: string): string[] {
  const [, section = ''] = readDocument(path).split(`\n## ${heading}\n`)
  return codeBlocks(section.split('\n## ')[0] as string)
    .filter(({ language }) => language === 'bash')
    .map(({ code }) => code)
}

it('what README and operations tell a reader to type works as it is printed', { timeout: 180_000 }, async ({
  skip,
}) => {
  const { folder, url, terminal, here, npmStart, startVault } = await createReader(skip)
  await npmStart()
  await startVault(here('bao server -dev -dev-root-token-id=root -dev-listen-address=127.0.0.1:8200'))
  const [playbook = ''] = blocksBelow('README.md', 'The playbook in five minutes')
  const [users = ''] = blocksBelow('docs/operations.md', 'Users and policies')
  const typed = here(`set -e\n${playbook}\n${users}`)
  const failing = typed.replace('"$@" && echo; }', '--fail-with-body "$@" && echo; }')
  expect(failing).not.toBe(typed)
  const { printed, code } = await terminal.type(failing)
  expect(code, printed).toBe(0)
  const admin = createAdmin(url)
  expect(printed).toContain('"status": "NotConfigured"')
  expect(printed).toContain('"SSEKMSKeyId": "rustfs-master"')
  expect(printed.match(/^Dear reader$/gm)).toHaveLength(1)
  expect(printed).toContain('"plaintext"')
  expect(await admin.status()).toMatchObject({
    status: 'Running',
    default_key_id: 'rustfs-master',
    config_summary: { backend_summary: { key_dir: join(folder, '.kms', 'keys') } },
  })
  expect((await admin.get('config')).json()).toMatchObject({ cache_ttl_seconds: 900 })
  // Ann was made, given two policies, disabled and removed again.
  expect(printed.match(/"success": true/g)?.length).toBeGreaterThanOrEqual(10)
})

it('what operations tells about objects, keys, root key and configuration works as it is printed', {
  timeout: 180_000,
}, async ({ skip }) => {
  const { folder, url, terminal, here, npmStart } = await createReader(skip)
  await npmStart()
  const admin = createAdmin(url)
  await admin.begin(join(folder, 'keys'), { default_key_id: 'rustfs-master' })
  const before = await admin.dataKey()
  writeFileSync(join(folder, 'letter.txt'), 'Dear reader')
  writeFileSync(join(folder, 'material.bin'), Buffer.alloc(32, 7))
  const [readme = ''] = blocksBelow('README.md', 'The playbook in five minutes')
  const names = readme.split('\n').filter((line) => /^(sign\(\)|kms=)/.test(line))
  const sections = ['Objects', 'Keys', 'Changing the root key of a local key store', 'Changing the configuration']
  for (const section of sections) {
    const blocks = blocksBelow('docs/operations.md', section)
    expect(blocks.length, section).toBeGreaterThan(0)
    const typed = here(['set -e', ...names, ...blocks].join('\n'))
      .replace('"$@" && echo; }', '--fail-with-body "$@" && echo; }')
      // Which revisions there are depends on what was done before.
      .replace('{"revision": 4}', '{"revision": 1}')
    const { printed, code } = await terminal.type(typed)
    expect(code, `${section}:\n${printed}`).toBe(0)
  }
  const { keys } = (await admin.get('keys')).json() as { keys: { key_id: string; origin: string }[] }
  expect(keys.map(({ key_id, origin }) => [key_id, origin])).toEqual([
    ['escrow', 'EXTERNAL'],
    ['orders', 'KMS'],
    ['rustfs-master', 'KMS'],
  ])
  expect(await admin.status()).toMatchObject({
    status: 'Running',
    config_summary: { cache_ttl_seconds: 300, backend_summary: { has_master_key: true } },
  })
  expect(await admin.decrypt(before.ciphertext_blob)).toBe(before.plaintext_key)
})
