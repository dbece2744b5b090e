import { join } from 'node:path'
import { expect, it } from 'vitest'
import { requireTools, shell } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'
import { call as send } from './client.ts'
import {
  CACHE,
  CONFIGURE,
  CREATE_KEY,
  call,
  download,
  MAKE_BUCKET,
  SET_DEFAULT,
  START,
  STATUS,
  STOP,
  SWITCH_TO_VAULT,
  upload as uploading,
  VAULT_ENABLE_KV,
  VAULT_ENABLE_TRANSIT,
  VAULT_MAKE_KEY,
} from './playbook-commands.ts'
import { startServer, temporaryFolder } from './server-process.ts'
import { startVault } from './vault.ts'

// "Dynamic KMS Configuration Playbook", section by section, with the real awscurl and a real Vault. Every command is typed
// as it is printed; only places and credentials are replaced by those of this test.
it('the playbook, from the first section to the last', { timeout: 180_000 }, async ({ skip }) => {
  const path = requireTools(findAwscurl(), skip)
  const vault = await startVault(skip, { mounts: false })
  const role = await vault.role()
  const folder = temporaryFolder()
  const keyDir = join(folder, 'rustfs', 'kms-keys')
  const env = { KMS_DATA_DIR: join(folder, 'data'), ...vault.trust }
  let server = await startServer({ env })

  const places = (command: string): string =>
    command
      .replace('http://localhost:9000', server.url)
      .replace('/var/lib/rustfs/kms-keys', keyDir)
      .replace('https://vault.example.com:8200', vault.address)
      .replace('"role_id": "..."', `"role_id": "${role.role_id}"`)
      .replace('"secret_id": "..."', `"secret_id": "${role.secret_id}"`)
  const type = (command: string): Promise<string> => shell(places(command), path)
  const typeJson = async <T = Record<string, unknown>>(command: string): Promise<T> =>
    JSON.parse(await type(command)) as T
  const typeToVault = (command: string): Promise<string> => vault.cli(...command.trim().split(' ').slice(1))

  const restart = async (): Promise<void> => {
    server.kill('SIGKILL')
    await server.exited
    server = await startServer({ env })
  }

  let uploads = 0
  /** Uploads an object, and names the key it says it was encrypted with. */
  const upload = async (): Promise<string | undefined> => {
    const place = `uploads/${++uploads}`
    const headers = await type(uploading(place, `what is in ${place}`))
    return /x-amz-server-side-encryption-aws-kms-key-id['"]: ['"]([^'"]+)/.exec(headers)?.[1]
  }
  const downloadAll = async (): Promise<void> => {
    for (let i = 1; i <= uploads; i++) expect(await type(download(`uploads/${i}`))).toContain(`what is in uploads/${i}`)
  }

  // Prerequisites
  expect(await type(STATUS)).toContain('"status": "NotConfigured"')

  // Initial Configuration Flow
  expect(await type(CONFIGURE)).toContain('"status": "Configured"')
  expect(await type(START)).toContain('"status": "Running"')
  const running = await type(STATUS)
  expect(running).toContain('"status": "Running"')
  expect(JSON.parse(running)).toMatchObject({
    backend_type: 'local',
    config_summary: { cache_ttl_seconds: 900, backend_summary: { backend_type: 'local', key_dir: keyDir } },
  })
  await type(MAKE_BUCKET)
  expect(await upload()).toBe('rustfs-master')

  // Switching to Vault: 1. prepare it …
  await typeToVault(VAULT_ENABLE_TRANSIT)
  await typeToVault(VAULT_ENABLE_KV)
  await typeToVault(VAULT_MAKE_KEY)
  // … 2. configure the new backend without stopping the service …
  expect(await typeJson(SWITCH_TO_VAULT)).toMatchObject({ success: true, status: 'Running' })
  // … 3. confirm that it is active …
  const onVault = await typeJson(STATUS)
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
  // … 4. and run test uploads. What was encrypted with the local store opens all the same.
  expect(await upload()).toBe('rustfs-master')
  await downloadAll()

  // Rotating the Default Key
  const { key_id: rotated } = await typeJson<{ key_id: string }>(CREATE_KEY)
  expect(await typeJson(SET_DEFAULT)).toMatchObject({ success: true, status: 'Running' })
  expect(await upload()).toBe(rotated)
  await downloadAll()

  // Rolling Cache or Timeout Changes
  expect(await typeJson(CACHE)).toMatchObject({ success: true, status: 'Running' })
  expect(await typeJson(STATUS)).toMatchObject({
    backend_type: 'vault',
    config_summary: { timeout_seconds: 20, retry_attempts: 5, cache_summary: { max_keys: 2048, ttl_seconds: 600 } },
  })

  // Pausing the KMS Service. An object's metadata allows offline decryption when it was uploaded while that was allowed.
  await typeJson(call('reconfigure', { allow_offline_decryption: true }))
  expect(await upload()).toBe(rotated)
  expect(await type(STOP)).toContain('"status": "Configured"')
  const offline = uploads
  expect(await type(download(`uploads/${offline}`))).toContain(`what is in uploads/${offline}`)
  for (let i = 1; i < offline; i++) expect(await type(download(`uploads/${i}`))).toContain('ServiceUnavailable')
  expect(await type(uploading('uploads/refused', ''))).toContain('ServiceUnavailable')
  expect(await typeJson(call('generate-data-key', {}))).toMatchObject({ success: false, code: 'NotRunning' })
  expect(await type(START)).toContain('"status": "Running"')
  await downloadAll()

  // Automation Tips: scripts can be run again, …
  const { revision } = await typeJson<{ revision: number }>(STATUS)
  for (const command of [CACHE, SET_DEFAULT, START]) {
    expect((await typeJson<{ message: string }>(command)).message).toMatch(/^unchanged/)
  }
  expect(await typeJson(STATUS)).toMatchObject({ revision })
  // … an init job can wait for readiness, …
  expect((await send(`${server.url}/health/ready`, { signed: false })).status).toBe(200)
  // … and every change is a structured line with the summary of the backend.
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
  expect(changes).toHaveLength(4)

  // Rollback Strategy: 1. the previous payload, from version control; what was encrypted in Vault opens still.
  const previous = CONFIGURE.replace('/kms/configure', '/kms/reconfigure')
  expect(await typeJson(previous)).toMatchObject({ success: true, status: 'Running' })
  expect(await typeJson(STATUS)).toMatchObject({ backend_type: 'local', default_key_id: 'rustfs-master' })
  await upload()
  await downloadAll()
  // 2. Where the backend is unreachable, stop. (Were the change a fresh one, the service would have gone back by itself.)
  expect(await typeJson(SWITCH_TO_VAULT)).toMatchObject({ success: true, status: 'Running' })
  await restart()
  await vault.kill()
  expect(await typeJson(call('generate-data-key', {}))).toMatchObject({ success: false, code: 'BackendUnavailable' })
  expect(await type(STOP)).toContain('"status": "Configured"')
  // 3. The logs say what happened.
  expect(server.stderr()).toMatch(/"target":"rustfs::kms::/)
  // 4. Once it is resolved, apply the configuration again and restart.
  await vault.start()
  await vault.unseal()
  expect(await typeJson(SWITCH_TO_VAULT)).toMatchObject({ success: true, status: 'Running' })
  await downloadAll()
  await restart()
  expect(await type(STATUS)).toContain('"status": "Running"')
  await upload()
  await downloadAll()
  expect(await server.stop()).toEqual({ code: 0, signal: null })
})
