import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyBackend, KeyRecord } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeCertificate } from '../../../tools/certificates.ts'
import { type HttpsProxy, startHttpsProxy } from '../../../tools/openbao/https-proxy.ts'
import { makeToken } from '../../../tools/openbao/prepare.ts'
import { startTcpProxy, type TcpProxy } from '../../../tools/openbao/tcp-proxy.ts'
import { liveVault, newKey, openLive } from './live-vault.ts'

describe('a network that breaks', () => {
  const vault = liveVault()
  let proxy: TcpProxy
  let backend: KeyBackend

  beforeEach(async () => {
    const { host, port } = vault.server
    proxy = await startTcpProxy({ target: () => ({ host, port }) })
    backend = await open({})
  })
  afterEach(async () => {
    proxy.mode = 'pass'
    await backend.close()
    await proxy.close()
  })

  async function open(fields: Record<string, unknown>): Promise<KeyBackend> {
    const token = await makeToken(vault.server)
    const address = `https://127.0.0.1:${proxy.port}`
    return (await openLive(vault.server, { address, auth_method: { token }, timeout_seconds: 4, ...fields })).backend
  }

  const aad = Buffer.alloc(32)
  const wrap = ({ keyId, currentVersion: version }: KeyRecord) =>
    backend.wrap({ keyId, version, plaintext: Buffer.from('x'), aad })

  it('keeps connections: many requests, few of them', async () => {
    const record = await backend.create(newKey('kept'))
    const before = proxy.connections
    for (let i = 0; i < 50; i++) await wrap(record)
    expect(proxy.connections - before).toBeLessThan(3)
  })

  it('a connection that is reset is made again', async () => {
    const record = await backend.create(newKey('reset'))
    proxy.mode = 'reset'
    const wrapped = wrap(record)
    setTimeout(() => {
      proxy.mode = 'pass'
    }, 100)
    expect((await wrapped).length).toBeGreaterThan(1)
  })

  it('an answer that is cut off or lost is asked for again', async () => {
    let record = await backend.create(newKey('lost'))
    for (const mode of ['cut answer', 'lose answer'] as const) {
      proxy.mode = mode
      expect((await wrap(record)).length).toBeGreaterThan(1)
      // A write that was made knows itself again.
      proxy.mode = mode
      record = await backend.update('lost', { description: mode }, record.etag)
      expect(record.description).toBe(mode)
    }
  })

  it('silence is BackendTimeout at the deadline, and over when it is over', async () => {
    const record = await backend.create(newKey('silent'))
    proxy.mode = 'stall'
    const startedAt = Date.now()
    await expect(wrap(record)).rejects.toMatchObject({ code: expect.stringMatching(/^Backend(Timeout|Unavailable)$/) })
    expect(Date.now() - startedAt).toBeLessThan(4500)
    proxy.mode = 'pass'
    await recovers(() => wrap(record))
  })

  it('silence for a moment costs a retry', async () => {
    const record = await backend.create(newKey('moment'))
    proxy.mode = 'stall'
    const wrapped = wrap(record)
    setTimeout(() => {
      proxy.mode = 'pass'
    }, 300)
    expect((await wrapped).length).toBeGreaterThan(1)
  })

  it('slow answers are waited for', async () => {
    const record = await backend.create(newKey('slow'))
    proxy.delay = 500
    expect((await wrap(record)).length).toBeGreaterThan(1)
  })

  it('after many failures it fails at once, and finds out soon when it may ask again', async () => {
    const record = await backend.create(newKey('broken'))
    proxy.mode = 'reset'
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => wrap(record)))
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'BackendUnavailable' } })
    const startedAt = Date.now()
    await expect(wrap(record)).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining('asked again shortly'),
    })
    expect(Date.now() - startedAt).toBeLessThan(1000)
    // Another store on the same server is another matter.
    proxy.mode = 'pass'
    const other = await open({})
    expect((await other.describe('broken')).keyId).toBe('broken')
    await other.close()
    await recovers(() => wrap(record))
  })
})

describe('answers that are lost', () => {
  const vault = liveVault()
  let proxy: HttpsProxy
  let backend: KeyBackend

  beforeEach(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kms-proxy-'))
    vault.cleanup(async () => rmSync(folder, { recursive: true, force: true }))
    const certificate = makeCertificate(folder, 'proxy', vault.server.authority)
    proxy = await startHttpsProxy({ target: vault.server, certificate })
    backend = await open({})
  })
  afterEach(async () => {
    await backend.close()
    await proxy.close()
  })

  async function open(fields: Record<string, unknown>): Promise<KeyBackend> {
    const token = await makeToken(vault.server)
    return (await openLive(vault.server, { address: proxy.address, auth_method: { token }, ...fields })).backend
  }

  /** Loses the answer to the first request that matches. */
  function loseFirst(pattern: RegExp): () => number {
    let lost = 0
    proxy.treat = (method, path) => {
      if (lost > 0 || !pattern.test(`${method} ${path}`)) return 'pass'
      lost += 1
      return 'lose answer'
    }
    return () => lost
  }

  it('a rotation happens once, and is known to have happened', async () => {
    const record = await backend.create(newKey('rotated'))
    const lost = loseFirst(/^POST .*\/rotate$/)
    expect(await backend.rotate('rotated', record.etag)).toMatchObject({ currentVersion: 2 })
    expect(lost()).toBe(1)
    expect(proxy.seen.filter((each) => each.endsWith('/rotate')).length).toBe(1)
    expect((await vault.server.api('GET', 'transit/keys/rotated')).body.data.latest_version).toBe(2)
  })

  it.each([
    ['the claim of a name', /^POST .*\/data\/rustfs\/kms\/keys\/made-/],
    ['making the Transit key', /^POST .*\/transit\/keys\/made-/],
  ])('a key is made once: %s', async (name, pattern) => {
    const lost = loseFirst(pattern)
    const keyId = `made-${name.length}`
    const made = await backend.create(newKey(keyId))
    expect(lost()).toBe(1)
    expect(made).toMatchObject({ currentVersion: 1, state: 'Enabled', origin: 'KMS' })
    expect(await backend.describe(keyId)).toEqual(made)
  })

  it.each([
    ['the tombstone', /^POST .*\/data\/rustfs\/kms\/keys\/gone-/],
    ['allowing the deletion', /^POST .*\/config$/],
    ['the deletion', /^DELETE /],
  ])('a key is destroyed once: %s', async (name, pattern) => {
    const keyId = `gone-${name.length}`
    const { etag } = await backend.create(newKey(keyId))
    const lost = loseFirst(pattern)
    await backend.destroy(keyId, etag)
    expect(lost()).toBe(1)
    await expect(backend.describe(keyId)).rejects.toMatchObject({ code: 'KeyDestroyed' })
    expect((await vault.server.api('GET', `transit/keys/${keyId}`)).status).toBe(404)
  })

  it.each([
    [412, 'has not seen the last write'],
    [472, 'disaster recovery'],
    [473, 'performance standby'],
    [501, 'not initialised'],
    [502, 'what stands before it'],
    [503, 'unavailable (503)'],
    [504, 'what stands before it'],
    [500, 'internal error'],
    [418, 'answers 418'],
  ])('status %i is named', async (status, text) => {
    const impatient = await open({ retry_attempts: 0 })
    proxy.treat = () => ({ status })
    await expect(impatient.describe('x')).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining(text),
    })
    proxy.treat = () => 'pass'
    await impatient.close()
  })

  it('status 429 is named, and its Retry-After heeded', async () => {
    let asked = 0
    proxy.treat = () => (++asked > 2 ? 'pass' : { status: 429, headers: { 'retry-after': '1' } })
    const startedAt = Date.now()
    await expect(backend.describe('nobody')).rejects.toMatchObject({ code: 'KeyNotFound' })
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1000)
    proxy.treat = () => ({ status: 429, headers: { 'retry-after': '60' } })
    await expect(backend.describe('nobody')).rejects.toMatchObject({ message: expect.stringContaining('(429)') })
  })
})

describe('a server that stops', () => {
  const vault = liveVault()
  const aad = Buffer.alloc(32)
  let backend: KeyBackend
  let record: KeyRecord
  let wrapped: Buffer

  beforeEach(async () => {
    const token = await makeToken(vault.server)
    backend = (await openLive(vault.server, { auth_method: { token }, timeout_seconds: 5, retry_attempts: 1 })).backend
    record = await backend.describe('rustfs-master')
    wrapped = await wrap()
  })
  afterEach(() => backend.close())

  const wrap = (): Promise<Buffer> =>
    backend.wrap({ keyId: record.keyId, version: record.currentVersion, plaintext: Buffer.from('kept'), aad })
  const unwrap = async (): Promise<string> => {
    const { keyId, currentVersion: version, materialId } = record
    return String(await backend.unwrap({ keyId, version, algorithm: backend.algorithm, materialId, wrapped, aad }))
  }

  /**
   * Asks all the time, from before `work` begins until it is answered again; returns what came of it. `work` can wait until
   * somebody was refused.
   */
  async function traffic(
    work: (oneRefused: () => Promise<void>) => Promise<void>,
  ): Promise<{ answered: number; refused: readonly string[] }> {
    const refused: string[] = []
    let answered = 0
    const over = new AbortController()
    const asking = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!over.signal.aborted) {
          try {
            expect(await unwrap()).toBe('kept')
            answered += 1
          } catch (error) {
            const { code, message } = error as { code: string; message: string }
            refused.push(`${code}: ${message}`)
            await new Promise((resolve) => setTimeout(resolve, 20))
          }
        }
      }),
    )
    await until(() => answered > 0)
    await work(() => until(() => refused.length > 0))
    await recovers(unwrap)
    over.abort()
    await asking
    return { answered, refused }
  }

  it('sealed and unsealed in the middle of it: named, and over within seconds', async () => {
    const { refused } = await traffic(async (oneRefused) => {
      await vault.server.seal()
      await expect(backend.health()).rejects.toMatchObject({
        code: 'BackendUnavailable',
        message: expect.stringContaining('it is sealed (503)'),
      })
      await expect(openLive(vault.server, { auth_method: { token: 's.t' }, retry_attempts: 0 })).rejects.toMatchObject({
        message: expect.stringContaining('it is sealed (503)'),
      })
      await oneRefused()
      await vault.server.unseal()
    })
    // Once unsealed it has no leader for a moment.
    const named = /^BackendUnavailable: .*(it is sealed \(503\)|it has no active node at the moment \(500\)|connection)/
    for (const each of refused) expect(each).toMatch(named)
  })

  it('killed and started again in the middle of it: no wrong answer, and over within seconds', async () => {
    const { refused } = await traffic(async (oneRefused) => {
      await vault.server.kill()
      await expect(backend.health()).rejects.toMatchObject({ code: 'BackendUnavailable' })
      await oneRefused()
      await vault.server.start()
      await vault.server.unseal()
    })
    for (const each of refused) expect(each).toMatch(/^Backend(Unavailable|Timeout): /)
  })
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Asks until it is answered; contract §2 allows 5 s. */
async function recovers(work: () => Promise<unknown>): Promise<void> {
  const startedAt = Date.now()
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (Date.now() - startedAt > 5000) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
