import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyBackend, KeyRecord } from '@kms/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeCertificate } from '../../../tools/certificates.ts'
import { findOpenBao, requireOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { startHttpsProxy } from '../../../tools/openbao/https-proxy.ts'
import { type OpenBaoCluster, startCluster } from '../../../tools/openbao/openbao-cluster.ts'
import type { OpenBao } from '../../../tools/openbao/openbao-server.ts'
import { makeAppRole, prepareMounts } from '../../../tools/openbao/prepare.ts'
import type { VaultPolicy } from '../src/config/vault-policy.ts'
import type { Resolve } from '../src/transport/pinned-lookup.ts'
import { newKey, openLive } from './live-vault.ts'

/** A name for all nodes, as a service has one; what it leads to is what the operating system would be asked for. */
const HOST = 'vault.kms.test'

describe('three nodes behind one name', () => {
  const cleanups: (() => Promise<void>)[] = []
  let cluster: OpenBaoCluster
  let login: Awaited<ReturnType<typeof makeAppRole>>

  beforeAll(async () => {
    const found = findOpenBao()
    if ('missing' in found) return
    const cleanup = (work: () => Promise<void>): void => void cleanups.unshift(work)
    cluster = await startCluster({ program: found.program, cleanup, names: [`DNS:${HOST}`] })
    const leader = await cluster.leader()
    await prepareMounts(leader)
    login = await makeAppRole(leader)
  })
  beforeEach((context) => {
    requireOpenBao((reason) => context.skip(reason))
  })
  afterAll(async () => {
    for (const work of cleanups) await work()
  })

  async function open(fields: Record<string, unknown> = {}, policy: VaultPolicy = {}): Promise<KeyBackend> {
    const [first] = cluster.nodes
    const { port, ca } = first as OpenBao
    const resolve: Resolve = async (host) => {
      if (host !== HOST) return [{ address: host, family: 4 }]
      return cluster.nodes.map((node) => ({ address: node.host, family: 4 }))
    }
    const address = `https://${HOST}:${port}`
    const settings = { address, ca_cert: ca, auth_method: { approle: login }, retry_attempts: 8, ...fields }
    return (await openLive(first as OpenBao, settings, { driver: { resolve, policy } })).backend
  }

  it('reads its own writes whichever node answers', async () => {
    const backend = await open()
    for (let i = 0; i < 20; i++) {
      let record = await backend.create(newKey(`written-${i}`))
      record = await backend.update(record.keyId, { description: 'changed' }, record.etag)
      record = await backend.rotate(record.keyId, record.etag)
      expect(await backend.describe(record.keyId)).toEqual(record)
    }
    await backend.close()
  })

  it('follows a standby that redirects to the active node, where its host is configured', async () => {
    const leader = await cluster.leader()
    const standby = cluster.nodes.find((node) => node !== leader) as OpenBao
    const folder = mkdtempSync(join(tmpdir(), 'kms-proxy-'))
    const certificate = makeCertificate(folder, 'proxy', standby.authority)
    const proxy = await startHttpsProxy({ target: standby, certificate })
    // This is how a client asks for redirects; a cluster that cannot forward answers everyone so.
    proxy.headers['x-vault-no-request-forwarding'] = 'true'
    const fields = { address: proxy.address, retry_attempts: 0 }
    try {
      const allowHosts = ['127.0.0.1', leader.host]
      const backend = await open(fields, { allowHosts })
      const created = await backend.create(newKey('through-a-standby'))
      expect(await backend.describe('through-a-standby')).toEqual(created)
      await backend.close()
      if (leader.host === '127.0.0.1') return
      await expect(open(fields)).rejects.toMatchObject({
        code: 'BackendUnavailable',
        message: expect.stringContaining(`a standby redirects to ${leader.address}, which is not configured`),
      })
    } finally {
      await proxy.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('a killed leader costs time and no answer: everything asked meanwhile is answered, and rightly', async () => {
    const backend = await open()
    const record = await backend.create(newKey('traffic'))
    const leader = await cluster.leader()
    let killed: Promise<void> | undefined
    const startedAt = Date.now()
    const failures: unknown[] = []
    let answered = 0
    async function traffic(): Promise<void> {
      for (let i = 0; i < 40; i++) {
        const plaintext = randomBytes(32)
        try {
          expect((await wrapAndUnwrap(backend, record, plaintext)).equals(plaintext)).toBe(true)
          answered += 1
        } catch (error) {
          failures.push(error)
        }
        if (i === 5) killed ??= leader.kill()
      }
    }
    await Promise.all(Array.from({ length: 8 }, traffic))
    await killed
    expect(failures.map(String)).toEqual([])
    expect(answered).toBe(320)
    // What needs the leader works again within the deadline of one operation.
    const created = await backend.create(newKey('after'))
    expect(created.currentVersion).toBe(1)
    expect(Date.now() - startedAt).toBeLessThan(30_000)
    await backend.close()
    await leader.start()
    await leader.unseal()
  })
})

async function wrapAndUnwrap(backend: KeyBackend, record: KeyRecord, plaintext: Buffer): Promise<Buffer> {
  const { keyId, currentVersion: version, materialId } = record
  const aad = randomBytes(32)
  const wrapped = await backend.wrap({ keyId, version, plaintext, aad })
  return backend.unwrap({ keyId, version, algorithm: backend.algorithm, materialId, wrapped, aad })
}
