import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuditFiles, createAuditKey, verifyAudit } from '@kms/audit'
import { createServerKey } from '@kms/core'

const directory = await mkdtemp(join(tmpdir(), 'kms-audit-'))
const key = createAuditKey(createServerKey(new Uint8Array(32)).subkey('audit'))
const heads: string[] = []
const audit = await createAuditFiles({
  directory,
  key,
  sync: 'always',
  whenFull: 'block',
  maxFileBytes: 64 * 1024 * 1024,
  dataPercent: 100,
  onCheckpoint: ({ head }) => heads.push(head),
  onTrouble: console.error,
  onRecovered: console.error,
})

audit.admit()
await audit.record([
  {
    plane: 'admin',
    operation: 'decrypt',
    action: 'kms:Decrypt',
    decision: 'allow',
    outcome: 'ok',
    principal: 'ann',
    accessKeyId: 'ann',
    requestId: 'r-1',
    keyId: 'orders',
  },
])
await audit.close()

const check = { publicKeys: [key.publicKey], expectHead: heads.at(-1) as string }
const clean = await verifyAudit(directory, check)
console.log(`${clean.records} record, ${clean.problems.length} problems`)

await appendFile(join(directory, 'audit-00000001.jsonl'), 'x')
const [problem] = (await verifyAudit(directory, check)).problems
console.log(`${problem?.file}, line ${problem?.line}: ${problem?.reason}`)
await rm(directory, { recursive: true })
