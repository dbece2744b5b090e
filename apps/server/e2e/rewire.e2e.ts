import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { call, type DataKey } from './client.ts'
import { codeOf, expectOpen, type Home, startHome } from './home.ts'

const ready = async ({ server }: Home): Promise<[number, unknown]> => {
  const reply = await call(`${server.url}/health/ready`, { signed: false })
  return [reply.status, reply.json()['reason']]
}

describe('a key directory', () => {
  it('that is not mounted at the start is missed, and nothing is made in its place; the service heals when it is back', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    const key = await at.admin.dataKey()
    at.server.kill('SIGKILL')
    await at.server.exited
    renameSync(at.keys, `${at.keys}-unmounted`)
    mkdirSync(at.keys)
    await at.restart()
    expect((await at.admin.status())['status']).toEqual({
      Error: expect.stringContaining('If a volume is not mounted'),
    })
    expect(await ready(at)).toEqual([503, 'Error'])
    expect(await codeOf(at.admin.post('start'))).toEqual([409, 'RealmMissing'])
    expect(await codeOf(at.admin.post('reconfigure', { cache_ttl_seconds: 5 }))).toEqual([409, 'RealmMissing'])
    expect(readdirSync(at.keys)).toEqual([])
    rmSync(at.keys, { recursive: true })
    renameSync(`${at.keys}-unmounted`, at.keys)
    await expect.poll(async () => (await at.admin.status())['status'], { timeout: 40_000 }).toBe('Running')
    await expectOpen(at.admin, key)
    expect(await ready(at)).toEqual([200, undefined])
  })

  it('that goes away while it serves makes the service unhealthy, not dead; it is ready again by itself', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    const key = await at.admin.dataKey()
    renameSync(at.keys, `${at.keys}-unmounted`)
    await expect.poll(() => ready(at), { timeout: 30_000 }).toEqual([503, 'Unhealthy'])
    expect(await at.admin.status()).toMatchObject({ status: 'Running', healthy: false, last_error: expect.any(String) })
    renameSync(`${at.keys}-unmounted`, at.keys)
    await expect.poll(() => ready(at), { timeout: 30_000 }).toEqual([200, undefined])
    await expectOpen(at.admin, key)
    expect(await at.admin.status()).toMatchObject({ status: 'Running', healthy: true, last_error: null })
  })

  it('that was copied is refused while the original serves, and taken once that is stopped; the one left behind is refused then', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys, { master_key: 'a passphrase of its own' })
    const key = await at.admin.dataKey()
    const copy = join(at.folder, 'copy')
    const patch = { key_dir: copy, master_key: 'a passphrase of its own' }
    cpSync(at.keys, copy, { recursive: true })
    expect(await codeOf(at.admin.post('reconfigure', patch))).toEqual([409, 'StoreCopied'])
    await expectOpen(at.admin, key)
    await at.admin.post('stop')
    expect(await codeOf(at.admin.post('reconfigure', patch))).toEqual([200, undefined])
    await at.admin.post('keys', { name: 'later' })
    const later = await at.admin.dataKey({ key_id: 'later' })
    await expectOpen(at.admin, key, later)
    await at.admin.post('stop')
    expect(await codeOf(at.admin.post('reconfigure', { ...patch, key_dir: at.keys }))).toEqual([409, 'RealmConflict'])
    await at.admin.post('start')
    await expectOpen(at.admin, key, later)
  })

  it('under another path is the same one, and moved to while it serves', async () => {
    const at = await startHome()
    const real = join(at.folder, 'real')
    mkdirSync(real)
    await at.admin.begin(join(real, 'keys'))
    const key = await at.admin.dataKey()
    symlinkSync(real, join(at.folder, 'link'))
    const moved = await at.admin.post('reconfigure', { key_dir: join(at.folder, 'link', 'keys') })
    expect([moved.status, moved.text]).toEqual([200, expect.stringContaining('"status": "Running"')])
    await expectOpen(at.admin, key)
    expect((await at.admin.status())['retired_backends']).toEqual([])
  })

  it('that was restored from an older snapshot is refused, naming what it lacks', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    cpSync(at.keys, `${at.keys}-snapshot`, { recursive: true })
    await at.admin.post('keys', { name: 'later' })
    const later = await at.admin.dataKey({ key_id: 'later' })
    await at.admin.post('stop')
    renameSync(at.keys, `${at.keys}-newest`)
    renameSync(`${at.keys}-snapshot`, at.keys)
    const refused = await at.admin.post('start')
    expect([refused.status, refused.json()['code']]).toEqual([409, 'RealmConflict'])
    expect(refused.json()['message']).toContain('"later"')
    renameSync(at.keys, `${at.keys}-snapshot`)
    renameSync(`${at.keys}-newest`, at.keys)
    expect(await codeOf(at.admin.post('start'))).toEqual([200, undefined])
    await expectOpen(at.admin, later)
  })

  it('is not made by a dry run, and would be', async () => {
    const at = await startHome()
    const elsewhere = join(at.folder, 'elsewhere', 'keys')
    await at.admin.begin(at.keys)
    const reply = await at.admin.post('reconfigure?dry_run=true', { key_dir: elsewhere })
    expect(reply.json()).toMatchObject({
      dry_run: true,
      status: 'Running',
      message: expect.stringContaining(`A new key store would be initialised at ${elsewhere}`),
      diff: [{ path: 'key_dir', from: at.keys, to: elsewhere }],
      proof: [
        { step: 'open', detail: expect.stringContaining('is empty') },
        { step: 'default key', detail: expect.stringContaining('"main" would be created') },
      ],
    })
    expect(existsSync(join(at.folder, 'elsewhere'))).toBe(false)
    const stores = readdirSync(join(at.folder, 'data', 'root-keys'))
    expect(await codeOf(at.admin.post('reconfigure', { key_dir: elsewhere }))).toEqual([200, undefined])
    expect(readdirSync(join(at.folder, 'data', 'root-keys')).length).toBe(stores.length + 1)
  })
})

describe('several operators', () => {
  it('of 100 with one ETag exactly one wins', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    const etag = String((await at.admin.get('config')).headers['etag'])
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        at.admin.post('reconfigure', { cache_ttl_seconds: 1000 + i }, { 'if-match': etag }),
      ),
    )
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(replies.filter(({ status }) => status === 412)).toHaveLength(99)
    const winner = replies.findIndex(({ status }) => status === 200)
    expect((await at.admin.get('config')).json()['cache_ttl_seconds']).toBe(1000 + winner)
  })

  it('who want the same at once get it once', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    const { revision } = await at.admin.status()
    const replies = await Promise.all([1, 2].map(() => at.admin.post('reconfigure', { key_dir: `${at.keys}-b` })))
    expect(replies.map(({ status }) => status)).toEqual([200, 200])
    const noOps = replies.filter((reply) => String(reply.json()['message']).startsWith('unchanged'))
    expect(noOps).toHaveLength(1)
    expect((await at.admin.status())['revision']).toBe((revision as number) + 1)
  })
})

describe('a change that asks to be confirmed', () => {
  it('is taken back after its time, although the server was killed and started meanwhile', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    const key = await at.admin.dataKey()
    const reply = await at.admin.post('reconfigure?confirm_within=3', { key_dir: `${at.keys}-b` })
    expect(reply.json()['message']).toContain('taken back in 3 s')
    const between = await at.admin.dataKey()
    await at.restart()
    await expect.poll(async () => (await at.admin.get('config')).json()['key_dir'], { timeout: 20_000 }).toBe(at.keys)
    await expectOpen(at.admin, key, between)
    expect(await codeOf(at.admin.post('confirm'))).toEqual([409, 'NothingToConfirm'])
    const history = (await at.admin.get('config/history')).json() as { revisions: { outcome: string }[] }
    expect(history.revisions.map(({ outcome }) => outcome)).toEqual(['reverted', 'reconfigured', 'configured'])
  })

  it('stays when it is confirmed, across kill -9', async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    await at.admin.post('reconfigure?confirm_within=5', { cache_ttl_seconds: 5 })
    await at.restart()
    expect(await codeOf(at.admin.post('confirm'))).toEqual([200, undefined])
    await at.restart()
    expect((await at.admin.get('config')).json()['cache_ttl_seconds']).toBe(5)
    expect(await codeOf(at.admin.post('confirm'))).toEqual([409, 'NothingToConfirm'])
  })
})

describe('kill -9', () => {
  it('at any moment of changes under load loses no envelope and no acknowledged change', {
    timeout: 180_000,
  }, async () => {
    const at = await startHome()
    await at.admin.begin(at.keys)
    const issued: DataKey[] = []
    for (let round = 0; round < 12; round++) {
      const { admin } = at
      const ended = new AbortController()
      let acknowledged = (await admin.status())['revision'] as number
      // Whatever fails now, fails because the server is gone; what was answered counts.
      const load = Array.from({ length: 3 }, async () => {
        while (!ended.signal.aborted) {
          const key = await admin.dataKey().catch(() => undefined)
          if (key !== undefined) issued.push(key)
        }
      })
      const changes = (async () => {
        for (let i = 0; !ended.signal.aborted; i++) {
          const key_dir = i % 2 === 0 ? `${at.keys}-${i % 3}` : at.keys
          const reply = await admin.post('reconfigure', { key_dir, cache_ttl_seconds: 10 + i }).catch(() => undefined)
          if (reply?.status === 200) acknowledged = reply.json()['revision'] as number
        }
      })()
      // A different moment each time: some changes take place before, one is under way.
      await new Promise((resolve) => setTimeout(resolve, 40 + round * 37))
      at.server.kill('SIGKILL')
      ended.abort()
      await Promise.all([...load, changes])
      await at.restart()
      const status = await at.admin.status()
      expect(status['status'], JSON.stringify(status)).toBe('Running')
      expect(status['revision']).toBeGreaterThanOrEqual(acknowledged)
      await expectOpen(at.admin, ...issued.slice(-20))
    }
    await expectOpen(at.admin, ...issued)
    expect(issued.length).toBeGreaterThan(50)
  })
})
