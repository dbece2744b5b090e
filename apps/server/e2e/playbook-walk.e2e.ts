import { join } from 'node:path'
import { expect, it } from 'vitest'
import { requireTools, shell } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'
import { createAdmin } from './client.ts'
import {
  CACHE,
  CONFIGURE,
  CREATE_KEY,
  SET_DEFAULT,
  START,
  STATUS,
  SWITCH_TO_VAULT,
  VAULT_ENABLE_KV,
  VAULT_ENABLE_TRANSIT,
  VAULT_MAKE_KEY,
} from './playbook-commands.ts'
import { startServer, temporaryFolder } from './server-process.ts'
import { startVault } from './vault.ts'

// "Dynamic KMS Configuration Playbook", from one store to the other and back, with a Vault that is none of development. Every
// command is typed as it is printed there; only places and credentials are replaced. docs/playbook.md has the rest.
it('the commands of the playbook, with TLS to a real Vault', { timeout: 120_000 }, async ({ skip }) => {
  const path = requireTools(findAwscurl(), skip)
  const vault = await startVault(skip, { mounts: false })
  const role = await vault.role()
  const folder = temporaryFolder()
  const keyDir = join(folder, 'rustfs', 'kms-keys')
  const server = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data'), ...vault.trust } })
  const admin = createAdmin(server.url)

  const places = (command: string): string =>
    command
      .replace('http://localhost:9000', server.url)
      .replace('/var/lib/rustfs/kms-keys', keyDir)
      .replace('https://vault.example.com:8200', vault.address)
      .replace('"role_id": "..."', `"role_id": "${role.role_id}"`)
      .replace('"secret_id": "..."', `"secret_id": "${role.secret_id}"`)
  const type = async <T = Record<string, unknown>>(command: string): Promise<T> =>
    JSON.parse(await shell(places(command), path)) as T
  const typeToVault = (command: string): Promise<string> => vault.cli(...command.trim().split(' ').slice(1))

  expect(await type(CONFIGURE)).toMatchObject({ status: 'Configured' })
  expect(await type(START)).toMatchObject({ status: 'Running' })
  const before = await admin.dataKey()

  // Switching to Vault
  for (const command of [VAULT_ENABLE_TRANSIT, VAULT_ENABLE_KV, VAULT_MAKE_KEY]) await typeToVault(command)
  expect(await type(SWITCH_TO_VAULT)).toMatchObject({ success: true, status: 'Running' })
  const onVault = await type(STATUS)
  expect(onVault).toMatchObject({
    status: 'Running',
    healthy: true,
    backend_type: 'vault',
    default_key_id: 'rustfs-master',
    config_summary: {
      retry_attempts: 5,
      timeout_seconds: 60,
      cache_ttl_seconds: 900,
      backend_summary: { backend_type: 'vault', address: vault.address, auth_method_type: 'approle' },
    },
  })
  expect(onVault['retired_backends']).toHaveLength(1)

  // Rotating the default key, and other settings
  const { key_id: rotated } = await type<{ key_id: string }>(CREATE_KEY)
  expect(await type(SET_DEFAULT)).toMatchObject({ success: true, status: 'Running' })
  const between = await admin.dataKey()
  expect(between.key_id).toBe(rotated)
  expect(await type(CACHE)).toMatchObject({ success: true, status: 'Running' })
  const { revision } = await type<{ revision: number }>(STATUS)

  // Automation: scripts can be run again, and every change is a structured line with the summary of the backend.
  for (const command of [CACHE, SET_DEFAULT, START]) {
    expect((await type<{ message: string }>(command)).message).toMatch(/^unchanged/)
  }
  expect(await type(STATUS)).toMatchObject({ backend_type: 'vault', revision })
  const changes = server
    .stderr()
    .split('\n')
    .filter((line) => line.includes('"kms_reconfigured"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(changes[0]).toMatchObject({
    target: 'rustfs::kms::manager',
    outcome: 'success',
    principal: 'admin',
    backend: { backend_type: 'vault', address: vault.address },
  })
  expect(changes).toHaveLength(3)

  // Rollback: the previous payload, from version control.
  const previous = CONFIGURE.replace('/kms/configure', '/kms/reconfigure')
  expect(await type(previous)).toMatchObject({ success: true, status: 'Running' })
  expect(await type(STATUS)).toMatchObject({ backend_type: 'local', default_key_id: 'rustfs-master' })
  for (const { ciphertext_blob, plaintext_key } of [before, between]) {
    expect(await admin.decrypt(ciphertext_blob)).toBe(plaintext_key)
  }
  expect(await server.stop()).toEqual({ code: 0, signal: null })
})
