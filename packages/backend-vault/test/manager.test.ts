import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  createServerKey,
  type KmsManager,
  type ManagerEvent,
  systemRandom,
} from '@kms/core'
import { memoryDriver } from '@kms/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AppRole, makeAppRole, policy } from '../../../tools/openbao/prepare.ts'
import { vaultDriver } from '../src/vault-driver.ts'
import { liveVault } from './live-vault.ts'

/** The whole service on Vault: what an operator and a client see of it. */
describe('a service on Vault', () => {
  const vault = liveVault()
  const caller = { principal: 'root' }
  const authorize = (): void => {}
  const context = new Map<string, string>()
  let folder: string
  let name: string
  let role: AppRole
  let seen: unknown[]
  let managers: KmsManager[]
  const stores = new Map()
  const keys = { current: createServerKey(systemRandom(32)) }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kms-manager-'))
    name = `m${randomBytes(6).toString('hex')}`
    seen = []
    managers = []
    await vault.server.api('POST', `sys/mounts/${name}`, { type: 'transit' })
    const own = policy.replaceAll('"transit/', `"${name}/`).replaceAll('rustfs/kms/keys', name)
    role = await makeAppRole(vault.server, { name, policy: own })
  })
  afterEach(async () => {
    for (const manager of managers) await manager.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const tell = (what: unknown): void => void seen.push(what)

  async function boot(): Promise<KmsManager> {
    const drivers = [memoryDriver({ stores }), vaultDriver({ policy: {}, onWarning: tell })]
    const manager = createKmsManager({
      drivers,
      configStore: await createFileConfigStore({
        directory: folder,
        drivers,
        keys,
        random: systemRandom,
        onRecovered: tell,
      }),
      canaryStore: createFileCanaryStore({
        directory: join(folder, 'canaries'),
        random: systemRandom,
        onDamaged: tell,
      }),
      onEvent: (event: ManagerEvent) => tell(event),
    })
    managers.push(manager)
    await manager.boot()
    return manager
  }

  const document = (fields: Record<string, unknown> = {}) => ({
    backend_type: 'vault',
    address: vault.server.address,
    ca_cert: vault.server.ca,
    auth_method: { approle: role },
    mount_path: name,
    key_path_prefix: name,
    timeout_seconds: 10,
    retry_attempts: 2,
    ...fields,
  })

  const dataKey = (manager: KmsManager, key?: string) =>
    manager.data.generateDataKey({ spec: 'AES_256', context, authorize, ...(key === undefined ? {} : { key }) })
  const open = (manager: KmsManager, ciphertext: Buffer) => manager.data.decrypt({ ciphertext, context, authorize })

  it('moves there from another backend under load, and what was wrapped before opens after', async () => {
    await vault.server.api('POST', `${name}/keys/rustfs-master`, { type: 'aes256-gcm96' })
    const manager = await boot()
    await manager.configure({ backend_type: 'memory', name, default_key_id: 'old' }, caller)
    await manager.start({ force: false }, caller)
    const before = await dataKey(manager)
    const over = new AbortController()
    const made: Awaited<ReturnType<typeof dataKey>>[] = []
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!over.signal.aborted) {
          made.push(await dataKey(manager))
          // In memory it never waits for anything.
          await new Promise((resolve) => setImmediate(resolve))
        }
      }),
    )
    await manager.reconfigure(document({ default_key_id: 'rustfs-master' }), caller)
    over.abort()
    await load
    made.push(await dataKey(manager))
    expect(manager.status()).toMatchObject({ status: 'Running', backendSummary: { backend_type: 'vault' } })
    expect(manager.status().credentialsExpireAt).toBeGreaterThan(Date.now())
    for (const { plaintext, ciphertext } of [before, ...made.slice(-50)]) {
      expect((await open(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    }
    expect(made.at(-1)?.keyId).toBe('rustfs-master')
    // The playbook's next page: another default key, nothing else.
    const created = await manager.keys.create({ description: 'rotation-2024-09', authorize, caller })
    await manager.reconfigure({ backend_type: 'vault', default_key_id: 'rotation-2024-09' }, caller)
    expect((await dataKey(manager)).keyId).toBe(created.record.keyId)
  })

  it('comes back after a restart of its own, and of Vault', async () => {
    const manager = await boot()
    await manager.reconfigure(document({ default_key_id: 'orders' }), caller)
    const { plaintext, ciphertext } = await dataKey(manager)
    await vault.server.kill()
    await vault.server.start()
    await vault.server.unseal()
    const after = await boot()
    expect(after.status().status).toBe('Running')
    expect((await open(after, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  })

  it('does not take Vault without its Transit keys for the same store, nor for a new one', async () => {
    const manager = await boot()
    await manager.reconfigure(document({ default_key_id: 'orders' }), caller)
    const { ciphertext, plaintext } = await dataKey(manager)
    await manager.stop(caller)
    // KV as it was, Transit made anew: with nothing in it, then with another key of that name.
    await vault.server.api('DELETE', `sys/mounts/${name}`)
    await vault.server.api('POST', `sys/mounts/${name}`, { type: 'transit' })
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({ code: 'RealmConflict' })
    await vault.server.api('POST', `${name}/keys/orders`, { type: 'aes256-gcm96' })
    await expect(manager.start({ force: false }, caller)).rejects.toMatchObject({ code: 'RealmConflict' })
    await expect(open(manager, ciphertext)).rejects.toMatchObject({ code: 'NotRunning' })
    expect(plaintext.length).toBe(32)
  })

  it('stays as it is when a change of it fails', async () => {
    const manager = await boot()
    await manager.reconfigure(document({ default_key_id: 'orders' }), caller)
    const { revision } = manager.status()
    const { plaintext, ciphertext } = await dataKey(manager)
    for (const [patch, code] of [
      [{ auth_method: { approle: { role_id: role.role_id, secret_id: 'wrong' } } }, 'CredentialsRefused'],
      [{ auth_method: { token: 's.nonsense' } }, 'CredentialsRefused'],
      // Another place: nothing of this one goes there.
      [{ address: 'https://127.0.0.1:1' }, 'ValidationError'],
      [{ address: 'https://127.0.0.1:1', auth_method: { approle: role }, retry_attempts: 0 }, 'BackendUnavailable'],
      [{ ca_cert: null }, 'SecretRequired'],
      [document({ mount_path: 'elsewhere' }), 'BackendDenied'],
      [{ default_key_id: 'nobody' }, 'DefaultKeyMissing'],
      [{ skip_tls_verify: true, auth_method: { approle: role } }, 'PolicyViolation'],
      [{ adress: 'https://v' }, 'ValidationError'],
    ] as const) {
      await expect(manager.reconfigure(patch, caller), JSON.stringify(patch)).rejects.toMatchObject({ code })
      expect(manager.status()).toMatchObject({ status: 'Running', revision })
      expect((await open(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
    }
  })

  it('tells no secret to anyone: not in errors, events, warnings, status or what is stored', async () => {
    const secrets: string[] = [role.secret_id, vault.server.rootToken]
    const manager = await boot()
    const outcomes: unknown[] = []
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        outcomes.push(await work())
      } catch (error) {
        for (let each = error; each instanceof Error; each = each.cause) {
          outcomes.push(inspect(each, { depth: 10, showHidden: true }), JSON.stringify(each), String(each.stack))
        }
      }
    }
    await attempt(() => manager.configure(document({ default_key_id: 'orders' }), caller))
    await attempt(() => manager.start({ force: false }, caller))
    const made = await dataKey(manager)
    const plaintext = Buffer.from(made.plaintext)
    secrets.push(plaintext.toString('base64'), plaintext.toString('hex'))
    outcomes.push(manager.status(), manager.config())
    const wrong = `wrong-${randomBytes(12).toString('hex')}`
    secrets.push(wrong)
    await attempt(() =>
      manager.reconfigure({ auth_method: { approle: { role_id: role.role_id, secret_id: wrong } } }, caller),
    )
    await attempt(() => manager.reconfigure({ auth_method: { token: wrong } }, caller))
    await attempt(() => manager.reconfigure({ auth_method: { token: { token: wrong, more: 1 } } }, caller))
    const change = { auth_method: { token: vault.server.rootToken } }
    await attempt(() => manager.reconfigure({ ...change, address: 'https://127.0.0.1:1', retry_attempts: 0 }, caller))
    await attempt(() => manager.reconfigure({ ...change, client_key: wrong, client_cert: wrong }, caller))
    await attempt(() => manager.reconfigure(change, caller))
    outcomes.push(manager.status(), manager.config())
    // While nothing answers, with a token on the way and a data key in it.
    await vault.server.seal()
    await attempt(() => dataKey(manager))
    await vault.server.kill()
    await attempt(() => dataKey(manager))
    await vault.server.start()
    await vault.server.unseal()
    await manager.close()
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    const everything = [...files, inspect(seen, { depth: 10 }), JSON.stringify(seen), ...outcomes.map(printed)].join(
      '\n',
    )
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(15)
      expect(everything.includes(secret), secret).toBe(false)
    }
    // What it may tell, it does: the test looks at the right things.
    expect(everything).toContain(role.role_id)
    expect(everything).toContain('it is sealed (503)')
    expect(everything).toContain('$sealed')
  })

  const printed = (value: unknown): string =>
    typeof value === 'string' ? value : inspect(value, { depth: 10 }) + JSON.stringify(value)
})
