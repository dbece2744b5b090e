import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startTcpProxy, type TcpProxy } from '../../../tools/openbao/tcp-proxy.ts'
import { call } from './client.ts'
import { codeOf, expectOpen, type Home, startHome } from './home.ts'
import { startVault, type TestVault } from './vault.ts'

interface Site extends Home {
  readonly vault: TestVault
}

/** A server with a local store that serves, and a Vault beside it. */
async function startSite(skip: (reason: string) => never): Promise<Site> {
  const vault = await startVault(skip)
  const home = await startHome(vault.trust)
  await home.admin.begin(home.keys, { default_key_id: 'rustfs-master' })
  return Object.assign(home, { vault })
}

async function proxyTo(vault: TestVault): Promise<TcpProxy> {
  const proxy = await startTcpProxy({ target: () => vault })
  onTestFinished(() => proxy.close())
  return proxy
}

describe('a Vault that', () => {
  it('hangs while it is proven is given up in time; nobody waits for it meanwhile', async ({ skip }) => {
    const at = await startSite(skip)
    const proxy = await proxyTo(at.vault)
    proxy.mode = 'stall'
    const config = await at.vault.config({ address: `https://127.0.0.1:${proxy.port}`, timeout_seconds: 3 })
    const startedAt = performance.now()
    const change = codeOf(at.admin.post('reconfigure', config))
    const ended = new AbortController()
    void change.finally(() => ended.abort())
    let answers = 0
    let slowest = 0
    while (!ended.signal.aborted) {
      const before = performance.now()
      await at.admin.dataKey()
      slowest = Math.max(slowest, performance.now() - before)
      answers++
    }
    expect(await change).toEqual([504, 'BackendTimeout'])
    expect(performance.now() - startedAt).toBeLessThan(8000)
    expect(answers).toBeGreaterThan(20)
    expect(slowest).toBeLessThan(2000)
    expect(await at.admin.status()).toMatchObject({ status: 'Running', backend_type: 'local', healthy: true })
  })

  it('turns bad right after the swap is returned from by itself; what it wrapped opens when it is back', async ({
    skip,
  }) => {
    const at = await startSite(skip)
    const proxy = await proxyTo(at.vault)
    const config = await at.vault.config({
      address: `https://127.0.0.1:${proxy.port}`,
      timeout_seconds: 3,
      retry_attempts: 0,
    })
    expect(await codeOf(at.admin.post('reconfigure', config))).toEqual([200, undefined])
    const between = await at.admin.dataKey()
    proxy.mode = 'reset'
    await expect.poll(async () => (await at.admin.status())['backend_type'], { timeout: 30_000 }).toBe('local')
    expect(at.server.stderr()).toContain('"event":"kms_returned"')
    await at.admin.dataKey()
    const refused = await at.admin.post('decrypt', { ciphertext_blob: between.ciphertext_blob })
    const [realm] = (await at.admin.status())['retired_backends'] as string[]
    // Fresh in the cache of the configuration that was left, and gone with it.
    expect([refused.status, refused.json()['code']]).toEqual([503, 'BackendUnavailable'])
    expect(refused.json()['message']).toContain(realm)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    proxy.mode = 'pass'
    await expect
      .poll(async () => (await at.admin.post('decrypt', { ciphertext_blob: between.ciphertext_blob })).status, {
        timeout: 90_000,
      })
      .toBe(200)
    await expectOpen(at.admin, between)
  })

  it('moves to another address takes no stored secret along, and is the same store there', async ({ skip }) => {
    const at = await startSite(skip)
    const proxy = await proxyTo(at.vault)
    const config = await at.vault.config()
    expect(await codeOf(at.admin.post('reconfigure', config))).toEqual([200, undefined])
    const key = await at.admin.dataKey()
    const address = `https://127.0.0.1:${proxy.port}`
    const refused = await at.admin.post('reconfigure', { address })
    // Another place: its credentials are not known, and those of the old one are not sent there.
    expect(refused.status).toBe(400)
    expect(refused.json()['message']).toMatch(/^auth_method: is required/)
    expect(proxy.connections).toBe(0)
    expect(await codeOf(at.admin.post('reconfigure', { ...config, address }))).toEqual([200, undefined])
    await expectOpen(at.admin, key)
    expect(await at.admin.status()).toMatchObject({
      retired_backends: [expect.any(String)],
      config_summary: { backend_summary: { address } },
    })
    // Trusting somebody else counts as another connection, too.
    expect(await codeOf(at.admin.post('reconfigure', { ca_cert: at.vault.ca }))).toEqual([400, 'SecretRequired'])
  })

  it('is restored from an older snapshot is refused, naming what it lacks', async ({ skip }) => {
    const at = await startSite(skip)
    expect(await codeOf(at.admin.post('reconfigure', await at.vault.config()))).toEqual([200, undefined])
    const before = await at.admin.dataKey()
    const file = join(at.folder, 'snapshot')
    await at.vault.cli('operator', 'raft', 'snapshot', 'save', file)
    await at.admin.post('keys', { name: 'later' })
    const later = await at.admin.dataKey({ key_id: 'later' })
    const newest = join(at.folder, 'newest')
    await at.vault.cli('operator', 'raft', 'snapshot', 'save', newest)
    await at.vault.cli('operator', 'raft', 'snapshot', 'restore', file)
    const refused = await at.admin.post('start', { force: true })
    expect([refused.status, refused.json()['code']]).toEqual([409, 'RealmConflict'])
    expect(refused.json()['message']).toContain('"later"')
    // It serves what it can, as it did.
    await expectOpen(at.admin, before)
    await at.vault.cli('operator', 'raft', 'snapshot', 'restore', newest)
    expect(await codeOf(at.admin.post('start', { force: true }))).toEqual([200, undefined])
    await expectOpen(at.admin, before, later)
  })
})

describe('moving', () => {
  it('from a directory to Vault, to another mount, and back, with restarts: everything opens, everywhere', async ({
    skip,
  }) => {
    const at = await startSite(skip)
    const first = await at.vault.config({ key_path_prefix: 'rustfs/kms/keys' })
    const second = await at.vault.config({ key_path_prefix: 'other/kms' })
    const directory = { backend_type: 'local', key_dir: at.keys, default_key_id: 'rustfs-master' }
    const issued = [await at.admin.dataKey()]
    for (const config of [first, second, directory, second, first, directory]) {
      const moved = await at.admin.post('reconfigure', config)
      expect(moved.status, moved.text).toBe(200)
      issued.push(await at.admin.dataKey())
      await at.restart()
      await expectOpen(at.admin, ...issued)
    }
    expect((await at.admin.status())['retired_backends']).toHaveLength(2)

    // A Vault that is sealed hurts only what it wrapped.
    await at.vault.seal()
    await at.restart()
    expect((await call(`${at.server.url}/health/ready`, { signed: false })).status).toBe(200)
    const replies = await Promise.all(
      issued.map(({ ciphertext_blob }) => codeOf(at.admin.post('decrypt', { ciphertext_blob }))),
    )
    expect(replies.map(([status]) => status)).toEqual([200, 503, 503, 200, 503, 503, 200])
    await at.admin.dataKey()
    const stores = async () =>
      (await at.admin.get('retired')).json()['stores'] as { healthy: boolean | null; realm: string }[]
    await expect
      .poll(async () => (await stores()).map(({ healthy }) => healthy), { timeout: 20_000 })
      .toEqual([false, false])
    await at.vault.unseal()
    await expect
      .poll(async () => (await stores()).map(({ healthy }) => healthy), { timeout: 90_000 })
      .toEqual([true, true])
    await expectOpen(at.admin, ...issued)
  })

  it('leaves a retired Vault that can be mended: new credentials, proven before they are kept', async ({ skip }) => {
    const at = await startSite(skip)
    const config = await at.vault.config()
    expect(await codeOf(at.admin.post('reconfigure', config))).toEqual([200, undefined])
    const key = await at.admin.dataKey()
    const directory = { backend_type: 'local', key_dir: at.keys }
    expect(await codeOf(at.admin.post('reconfigure', directory))).toEqual([200, undefined])
    const [realm] = (await at.admin.status())['retired_backends'] as [string]
    const { stores } = (await at.admin.get('retired')).json() as { stores: object[] }
    expect(stores).toMatchObject([
      { realm, backend_type: 'vault', healthy: true, token_expires_at: expect.stringMatching(/Z$/), last_error: null },
    ])
    // The role is gone: what is open goes on with its token, a restart does not.
    await at.vault.api('DELETE', 'auth/approle/role/kms-0')
    await at.restart()
    expect(await codeOf(at.admin.post('decrypt', { ciphertext_blob: key.ciphertext_blob }))).toEqual([
      503,
      'BackendUnavailable',
    ])
    const mend = (approle: object) => at.admin.post(`retired/${realm}`, { auth_method: { approle } })
    expect((await mend({ role_id: 'nobody', secret_id: 'nothing-at-all' })).status).toBeGreaterThanOrEqual(400)
    expect(await codeOf(mend(await at.vault.role()))).toEqual([200, undefined])
    await expectOpen(at.admin, key)
    await at.restart()
    await expectOpen(at.admin, key)

    // No object needs it. Given up on purpose, by its name, it is forgotten, and untouched.
    const other = { confirm_realm: 'f'.repeat(32) }
    expect(await codeOf(at.admin.delete(`retired/${realm}`, other))).toEqual([400, 'ValidationError'])
    expect(await codeOf(at.admin.delete(`retired/${realm}`, { confirm_realm: realm }))).toEqual([200, undefined])
    expect(await codeOf(at.admin.post('decrypt', { ciphertext_blob: key.ciphertext_blob }))).toEqual([
      400,
      'UnknownKeyStore',
    ])
    expect(await codeOf(at.admin.post('reconfigure', await at.vault.config()))).toEqual([200, undefined])
    await expectOpen(at.admin, key)
  })

  it('there is rehearsed without a trace', async ({ skip }) => {
    const at = await startSite(skip)
    const config = await at.vault.config()
    const reply = await at.admin.post('reconfigure?dry_run=true', config)
    expect(reply.json()).toMatchObject({
      dry_run: true,
      proof: [
        { step: 'open', detail: expect.stringContaining('a new key store would be initialised') },
        { step: 'default key', detail: expect.stringContaining('unless it is there already') },
      ],
    })
    expect(reply.text).not.toMatch(/secret_id": "(?!\*\*\*)/)
    expect((await at.vault.api('LIST', 'secret/metadata/rustfs/kms/keys')).status).toBe(404)
    expect(await at.admin.status()).toMatchObject({ backend_type: 'local', retired_backends: [] })
  })
})
