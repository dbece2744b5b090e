import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createAuditKey, verifyAudit } from '../src/index.ts'
import { createFixture, decrypted, seed } from './audit-fixture.ts'

const vectors = fileURLToPath(new URL('../vectors', import.meta.url))
const file = 'audit-00000001.jsonl'

it('the golden file verifies, with the key it was made with', async () => {
  const { publicKey, id } = createAuditKey(seed)
  expect(await verifyAudit(vectors, { publicKeys: [publicKey] })).toMatchObject({
    problems: [],
    lines: 4,
    records: 2,
    checkpoints: 1,
    sealed: true,
    keyIds: [id],
  })
})

it('the same records make the same bytes', async () => {
  const { directory, open } = await createFixture()
  const files = await open({ random: (size) => Buffer.from(Array.from({ length: size }, (_, i) => i)) })
  await files.record([decrypted])
  const { address: _, keyId: __, ...service } = decrypted
  await files.record([
    {
      ...service,
      operation: 'configure',
      action: 'kms:Configure',
      decision: 'deny',
      outcome: 'AccessDenied',
      principal: 'jörg',
      accessKeyId: 'jörg',
      requestId: 'r-2',
    },
  ])
  await files.close()
  expect(await readFile(join(directory, file), 'utf8')).toBe(await readFile(join(vectors, file), 'utf8'))
})
