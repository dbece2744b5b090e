import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { requireDebianTool } from '../../../tools/debian.ts'
import { requireOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { startOpenBao } from '../../../tools/openbao/openbao-server.ts'
import { makeAppRole, prepareMounts } from '../../../tools/openbao/prepare.ts'
import { requireTools } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'
import { createAdmin } from './client.ts'
import { startServer, temporaryFolder } from './server-process.ts'

const folder = fileURLToPath(new URL('../../../scripts/', import.meta.url))
const scripts = readdirSync(folder).filter((name) => name.endsWith('.sh'))

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A server, and a shell in which its scripts run as an operator would run them. */
async function createOperator(skip: (reason: string) => never) {
  const bin = requireTools(findAwscurl(), skip)
  const place = temporaryFolder()
  const server = await startServer({ env: { KMS_DATA_DIR: join(place, 'data') } })
  const admin = createAdmin(server.url)
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    HOME: place,
    ENDPOINT: server.url,
    AWS_ACCESS_KEY_ID: 'admin',
    AWS_SECRET_ACCESS_KEY: 'admin',
    KEY_DIR: join(place, 'keys'),
  }
  const run = (
    script: string,
    args: readonly string[] = [],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Ended> =>
    new Promise((resolve) => {
      execFile(join(folder, script), args, { env: { ...env, ...more } }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, err }),
      )
    })
  /** Runs it twice; both must do well, and the second must change nothing. */
  async function twice(script: string, args: readonly string[] = [], more: Readonly<Record<string, string>> = {}) {
    const first = await run(script, args, more)
    expect(first.code, `${script}: ${first.err}`).toBe(0)
    const before = await admin.status()
    const second = await run(script, args, more)
    expect([second.code, (await admin.status())['revision']], `${script}: ${second.err}`).toEqual([
      0,
      before['revision'],
    ])
    return { first, second, status: before }
  }
  return { place, admin, run, twice }
}

it('shellcheck has nothing to say', ({ skip }) => {
  const shellcheck = requireDebianTool('shellcheck', 'shellcheck', skip)
  const args = ['--external-sources', '--source-path=SCRIPTDIR', ...scripts]
  expect(spawnSync(shellcheck, args, { cwd: folder, encoding: 'utf8' })).toMatchObject({
    status: 0,
    stdout: '',
    stderr: '',
  })
})

it('every script but the shared one can be run, and says what it does', () => {
  for (const name of scripts) {
    const text = readFileSync(join(folder, name), 'utf8')
    const runs = name !== 'kms.sh'
    expect((statSync(join(folder, name)).mode & 0o111) !== 0, name).toBe(runs)
    expect(text.startsWith('#!/bin/sh\n# '), name).toBe(runs)
    expect(text, name).not.toMatch(/\bKMS_[A-Z]/)
  }
})

describe('run twice in a row', () => {
  it('configure, rotate, pause, resume, roll back', async ({ skip }) => {
    const { place, admin, run, twice } = await createOperator(skip)
    const configured = await twice('configure-local.sh')
    expect(configured.status).toMatchObject({ status: 'Running', default_key_id: 'rustfs-master' })
    expect(configured.second.out).toContain('unchanged')
    const key = await admin.dataKey()

    const rotated = await twice('rotate-default-key.sh', [], { NAME: 'rotation-2024-09' }).catch(
      async (error: unknown) => {
        throw error
      },
    )
    expect(rotated.status).toMatchObject({ default_key_id: 'rotation-2024-09' })
    expect((await admin.get('keys')).json()['keys']).toHaveLength(2)

    expect((await twice('pause.sh')).status).toMatchObject({ status: 'Configured' })
    expect((await twice('resume.sh')).status).toMatchObject({ status: 'Running' })

    const listed = await run('rollback.sh')
    expect(listed.out).toContain('"revisions"')
    const { revisions } = (await admin.get('config/history')).json() as { revisions: { revision: number }[] }
    const first = Math.min(...revisions.map(({ revision }) => revision))
    const back = await twice('rollback.sh', [String(first)])
    expect(back.status).toMatchObject({ default_key_id: 'rustfs-master' })
    const snapshot = join(place, 'snapshot.json')
    writeFileSync(snapshot, JSON.stringify({ ...(await admin.get('config')).json(), cache_ttl_seconds: 60 }))
    await twice('rollback.sh', ['-f', snapshot])
    expect((await admin.get('config')).json()).toMatchObject({ cache_ttl_seconds: 60 })
    expect(await admin.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
  })

  it('to Vault, while it serves', { timeout: 120_000 }, async ({ skip, onTestFinished }) => {
    const program = requireOpenBao(skip)
    const { place, admin, twice } = await createOperator(skip)
    const vault = await startOpenBao({ program, cleanup: onTestFinished })
    await prepareMounts(vault)
    const { role_id, secret_id } = await makeAppRole(vault)
    await twice('configure-local.sh')
    const key = await admin.dataKey()
    const ca = join(place, 'ca.pem')
    writeFileSync(ca, vault.ca)
    const env = { VAULT_ADDRESS: vault.address, VAULT_ROLE_ID: role_id, VAULT_SECRET_ID: secret_id, VAULT_CA_FILE: ca }
    const moved = await twice('switch-to-vault.sh', [], env)
    expect(moved.status).toMatchObject({ status: 'Running', backend_type: 'vault', healthy: true })
    expect(moved.second.out).toContain('unchanged')
    expect(await admin.decrypt(key.ciphertext_blob)).toBe(key.plaintext_key)
    expect((await admin.dataKey()).key_id).toBe('rustfs-master')
  })
})

describe('what goes wrong is told, and ends the script', () => {
  it.each<[string, string[], Record<string, string>, string]>([
    ['configure-local.sh', [], { KEY_DIR: '/proc/keys' }, 'PolicyViolation'],
    ['resume.sh', [], {}, 'NoConfiguration'],
    ['rollback.sh', ['x'], {}, 'x is no revision'],
    ['rollback.sh', ['77'], {}, '"success": false'],
    ['pause.sh', [], { AWS_SECRET_ACCESS_KEY: 'wrong' }, 'SignatureDoesNotMatch'],
    ['pause.sh', [], { AWS_ACCESS_KEY_ID: '' }, 'set AWS_ACCESS_KEY_ID'],
    ['switch-to-vault.sh', [], {}, 'set VAULT_ADDRESS'],
  ])('%s %j', async (script, args, env, message) => {
    const { run } = await createOperator((reason) => {
      throw new Error(reason)
    })
    const { code, err } = await run(script, args, env)
    expect(code).not.toBe(0)
    expect(err).toContain(message)
  })
})
