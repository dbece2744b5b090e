import { createHash, randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServerKey, type ServerKeys } from '@kms/core'
import type { Principal } from '@kms/iam'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Identities, openIdentities } from './identities.ts'
import type { Log } from './log/log.ts'
import { readCommand } from './settings.ts'

const keys: ServerKeys = { current: createServerKey(randomBytes(32)) }
const other = createServerKey(randomBytes(32))
const ann = { accessKeyId: 'ann', secretAccessKey: 'battery staple' }

let folder: string
let warnings: string[]
const opened: Identities[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kms-identities-'))
  warnings = []
})
afterEach(() => {
  for (const identities of opened.splice(0)) identities.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(
  serverKeys: ServerKeys = keys,
  environment: Readonly<Record<string, string>> = {},
): Promise<Identities> {
  const command = readCommand({ args: [], environment })
  if (command.kind !== 'serve') throw new Error(command.kind)
  const log: Log = {
    tells: () => true,
    event: (event, _, details) => void warnings.push(details?.message ?? event),
  }
  const identities = await openIdentities({
    settings: command.given.settings,
    keys: serverKeys,
    stateDirectory: join(folder, 'state'),
    log,
  })
  opened.push(identities)
  return identities
}

/** Rewrites the stored document as a disk with other contents would have it. */
function rewrite(change: (document: Record<string, unknown>) => unknown): void {
  for (const name of ['iam.json', 'iam.last-good.json']) {
    const path = join(folder, 'state', name)
    const [line = ''] = readFileSync(path, 'utf8').split('\n')
    const changed = JSON.stringify(change(JSON.parse(line) as Record<string, unknown>))
    writeFileSync(path, `${changed}\n${createHash('sha256').update(changed).digest('hex')}\n`)
  }
}

it('knows root only, at first', async () => {
  const { credentials, directory } = await open()
  expect((await credentials.find('admin'))?.principal.kind).toBe('root')
  expect(await credentials.find('ann')).toBeUndefined()
  expect(directory.listUsers()).toEqual([])
})

it('keeps users, and their sessions, over a restart and a change of the server key', async () => {
  const first = await open()
  await first.directory.addUser({ ...ann, policies: ['KMSAuditor'] })
  const caller = (await first.credentials.find('ann'))?.principal as Principal
  const session = await first.sts.assumeRole({ caller })
  const changed = { current: other, previous: keys.current }
  for (const [serverKeys, count] of [
    [keys, 1],
    [changed, 1],
  ] as const) {
    const { credentials } = await open(serverKeys)
    expect((await credentials.find('ann'))?.secretAccessKey).toBe(ann.secretAccessKey)
    const found = await credentials.find(session.accessKeyId, session.sessionToken)
    expect(found?.principal.policies).toHaveLength(count)
  }
  expect(warnings).toEqual([])
})

it('opens the golden document', async () => {
  const golden = createServerKey(Buffer.from('6c70d5a2c8b6f2283148baed7eb28115b1e139399645816df1e876a3025f5e7f', 'hex'))
  mkdirSync(join(folder, 'state'))
  copyFileSync(new URL('../vectors/iam.json', import.meta.url), join(folder, 'state', 'iam.json'))
  const { credentials, directory } = await open({ current: golden })
  expect((await credentials.find('ann'))?.secretAccessKey).toBe('battery staple')
  expect(credentials.account('__proto__')?.credential.secretAccessKey).toBe('p\u00e4ss\u{1f511}word')
  const createdAt = Date.parse('2026-01-02T03:04:05.678Z')
  const changedAt = Date.parse('2026-02-03T04:05:06.789Z')
  expect(directory.listUsers()).toEqual([
    { accessKeyId: '__proto__', status: 'disabled', policies: [], source: 'api', createdAt, changedAt },
    {
      accessKeyId: 'ann',
      status: 'enabled',
      policies: ['KMSAuditor', 'payments'],
      source: 'api',
      createdAt,
      changedAt,
    },
  ])
  expect(directory.policyInfo('payments').policy.source).toContain('payments-*')
  expect(warnings).toEqual([])
})

it('refuses another server key, by name', async () => {
  await (await open()).directory.addUser(ann)
  await expect(open({ current: other })).rejects.toMatchObject({ code: 'ServerKeyMismatch' })
})

it.each<[string, (document: Record<string, unknown>) => unknown, object]>([
  ['a newer format', (document) => ({ ...document, format: 2 }), { code: 'NewerFormat' }],
  ['a document of something else', () => ({ format: 1, other: [] }), { name: 'StartupError', exitCode: 4 }],
  ['users that are none', () => ({ format: 1, users: 'x', policies: [] }), { name: 'StartupError', exitCode: 4 }],
  [
    'a secret moved to another user',
    (document) => {
      const [user] = document['users'] as object[]
      return { ...document, users: [{ ...user, accessKeyId: 'eve' }] }
    },
    { code: 'StoreDamaged' },
  ],
])('refuses %s', async (_, change, refusal) => {
  await (await open()).directory.addUser(ann)
  rewrite(change)
  await expect(open()).rejects.toMatchObject(refusal)
})

it('takes the users of KMS_IAM_FILE before those of the API', async () => {
  await (await open()).directory.addUser(ann)
  const file = join(folder, 'users.json')
  writeFileSync(file, JSON.stringify({ format: 1, users: [{ accessKey: 'ann', secretKey: 'from the file' }] }))
  const { credentials } = await open(keys, { KMS_IAM_FILE: file })
  expect((await credentials.find('ann'))?.secretAccessKey).toBe('from the file')
})
