import { randomBytes } from 'node:crypto'
import { isKmsError, type KeyBackend, type KeyRecord, type UnwrapRequest, VAULT_TRANSIT } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../../tools/openbao/openbao-server.ts'
import { makeToken, policy } from '../../../tools/openbao/prepare.ts'
import { type Fields, liveVault, newKey, type OpenLive, openLive } from './live-vault.ts'

const vault = liveVault()
let prefix: string
let opened: KeyBackend[]
beforeEach(() => {
  prefix = `p${randomBytes(6).toString('hex')}`
  opened = []
})
afterEach(async () => {
  for (const backend of opened) await backend.close()
})

/** The documented policy for another prefix, with a change. */
const policyFor = (change: (text: string) => string = (text) => text): string =>
  change(policy.replaceAll('rustfs/kms/keys', prefix))

async function open(fields: Fields = {}, options: OpenLive = {}, text = policyFor()) {
  const token = await makeToken(vault.server, { name: `kms-${randomBytes(6).toString('hex')}`, policy: text })
  const result = await openLive(vault.server, { auth_method: { token }, key_path_prefix: prefix, ...fields }, options)
  opened.push(result.backend)
  return result
}
const backendOf = async (...args: Parameters<typeof open>): Promise<KeyBackend> => (await open(...args)).backend

const api = (method: string, path: string, body?: unknown) => vault.server.api(method, path, body)
const aad = Buffer.alloc(32, 1)
const wrap = (backend: KeyBackend, { keyId, currentVersion: version }: KeyRecord) =>
  backend.wrap({ keyId, version, plaintext: Buffer.from('kept'), aad })
const unwrap = async (backend: KeyBackend, record: KeyRecord, wrapped: Buffer, version = record.currentVersion) => {
  const { keyId, materialId } = record
  const { algorithm } = backend
  return String(await backend.unwrap({ keyId, version, algorithm, materialId, wrapped, aad }))
}

describe('the place of a store', () => {
  it('is made once, and found again', async () => {
    const first = await open()
    expect(first.initialised).toBe(true)
    const { realm } = first.backend
    const again = await open({}, { expectedRealm: realm, mayInitialise: false })
    expect(again).toMatchObject({ initialised: false, backend: { realm }, notes: [] })
    await again.backend.health()
  })

  it('is made by one of several who try at once', async () => {
    const made = await Promise.all(Array.from({ length: 6 }, () => open()))
    expect(new Set(made.map(({ backend }) => backend.realm)).size).toBe(1)
    expect(made.filter(({ initialised }) => initialised).length).toBe(1)
  })

  it('is not made where one is expected, and another one is a conflict', async () => {
    const realm = 'ab'.repeat(16)
    await expect(open({}, { expectedRealm: realm })).rejects.toMatchObject({ code: 'RealmMissing' })
    await expect(open({}, { mayInitialise: false })).rejects.toMatchObject({ code: 'StoreNotInitialised' })
    expect((await api('GET', `secret/data/${prefix}/.realm`)).status).toBe(404)
    await open()
    await expect(open({}, { expectedRealm: realm })).rejects.toMatchObject({ code: 'RealmConflict' })
  })

  it('is not made among other things, which are left alone', async () => {
    await api('POST', `secret/data/${prefix}/somebody-elses`, { data: { key: 'value' } })
    await expect(open()).rejects.toMatchObject({ code: 'StoreNotOurs', message: expect.stringContaining('a record') })
    expect((await api('GET', `secret/metadata/${prefix}?list=true`)).body.data.keys).toEqual(['somebody-elses'])
  })

  it('may be said by an operator, with the CLI, where nothing may be written', async () => {
    const { server } = vault
    const readOnly = policyFor((text) => text.replaceAll('["create", "read", "update"] }', '["read"] }'))
    await expect(open({}, {}, readOnly)).rejects.toMatchObject({
      code: 'BackendDenied',
      message: expect.stringContaining('write a record'),
    })
    const realm = 'cd'.repeat(16)
    await server.cli('kv', 'put', `secret/${prefix}/.realm`, 'format=1', `realm=${realm}`)
    const backend = await backendOf({}, {}, readOnly)
    expect(backend.realm).toBe(realm)
    await backend.health()
    // Keys that are there can be used; nothing about them can be changed.
    const record = await backend.describe('rustfs-master')
    expect(await unwrap(backend, record, await wrap(backend, record))).toBe('kept')
    for (const change of [
      () => backend.create(newKey('new')),
      () => backend.update(record.keyId, { description: 'x' }, record.etag),
      () => backend.rotate(record.keyId, record.etag),
    ]) {
      await expect(change()).rejects.toMatchObject({ code: 'BackendDenied' })
    }
    expect(await backend.describe('rustfs-master')).toEqual(record)
    expect((await api('GET', 'transit/keys/new')).status).toBe(404)
  })

  it.each([
    [{ format: 2, realm: 'ab'.repeat(16) }, 'NewerFormat'],
    [{ format: 1, realm: 'nonsense' }, 'StoreDamaged'],
    [{ realm: 'ab'.repeat(16) }, 'StoreDamaged'],
    [{}, 'StoreDamaged'],
  ])('is not read from %j: %s', async (data, code) => {
    await api('POST', `secret/data/${prefix}/.realm`, { data })
    await expect(open()).rejects.toMatchObject({ code })
  })

  it('whose record was deleted says so, and is not made again', async () => {
    await open()
    await api('DELETE', `secret/data/${prefix}/.realm`)
    await expect(open()).rejects.toMatchObject({
      code: 'StoreDamaged',
      message: expect.stringContaining('kv undelete'),
    })
    await expect(opened[0]?.health()).rejects.toMatchObject({ code: 'StoreDamaged' })
    await api('POST', `secret/undelete/${prefix}/.realm`, { versions: [1] })
    await opened[0]?.health()
  })

  it.each([
    [{ mount_path: 'nothing-here' }, /nothing-here/],
    [{ kv_mount: 'nothing-here' }, /nothing-here/],
    [{ kv_mount: 'kv1' }, /KV of version 1/],
    [{ mount_path: 'kv1' }, /type kv/],
    [{ kv_mount: 'transit2' }, /type transit/],
    [{ namespace: 'nowhere' }, /namespace|credentials/],
  ])('%j is named as what it is', async (fields, message) => {
    await api('POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } })
    await api('POST', 'sys/mounts/transit2', { type: 'transit' })
    const everything = 'path "*" { capabilities = ["create", "read", "update", "delete", "list"] }'
    const failure = await open(fields, {}, everything).catch((error: unknown) => error)
    if (!isKmsError(failure, 'StoreUnwritable', 'CredentialsRefused')) throw failure
    expect(failure.message).toMatch(message)
  })

  it('that loses its mounts is unhealthy by name, and no other store', async () => {
    const mount = `t${prefix}`
    await api('POST', `sys/mounts/${mount}`, { type: 'transit' })
    const text = policyFor((each) => each.replaceAll('"transit/', `"${mount}/`))
    const backend = await backendOf({ mount_path: mount }, {}, text)
    const record = await backend.create(newKey('a'))
    const wrapped = await wrap(backend, record)
    await api('DELETE', `sys/mounts/${mount}`)
    for (const call of [() => backend.health(), () => backend.describe('a'), () => unwrap(backend, record, wrapped)]) {
      await expect(call()).rejects.toMatchObject({
        code: 'StoreUnwritable',
        message: expect.stringContaining('no secrets engine is mounted there'),
      })
    }
  })

  it('is warned about where KV forgets what is written', async () => {
    const warnings: string[] = []
    await api('POST', `sys/mounts/kv${prefix}`, { type: 'kv', options: { version: '2' } })
    // A fresh mount is not ready at once.
    const configure = () => api('POST', `kv${prefix}/config`, { delete_version_after: '24h' })
    await until('KV is configured', async () => (await configure()).status < 300)
    const text = policyFor((each) => each.replaceAll('"secret/', `"kv${prefix}/`))
    const onWarning = (message: string): void => void warnings.push(message)
    await open({ kv_mount: `kv${prefix}`, retry_attempts: 8 }, { driver: { onWarning } }, text)
    expect(warnings).toEqual([expect.stringContaining('delete_version_after')])
  })

  it('is found in a namespace, which only the calls that may have one name', async ({ skip }) => {
    const { server } = vault
    const made = await api('POST', `sys/namespaces/team${prefix}`)
    if (made.status === 404) return skip('this server has no namespaces')
    expect(made.status).toBe(200)
    const namespace = `team${prefix}`
    const there = { 'X-Vault-Namespace': namespace }
    await server.api('POST', 'sys/mounts/transit', { type: 'transit' }, there)
    await server.api('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, there)
    await server.api('PUT', 'sys/policies/acl/kms', { policy: policyFor() }, there)
    const { body } = await server.api('POST', 'auth/token/create', { policies: ['kms'] }, there)
    const token = body.auth.client_token
    const fields = { auth_method: { token }, namespace, key_path_prefix: prefix, retry_attempts: 8 }
    const { backend } = await openLive(server, fields)
    opened.push(backend)
    const record = await backend.create(newKey('a'))
    expect(await unwrap(backend, record, await wrap(backend, record))).toBe('kept')
    await backend.health()
    expect((await api('GET', 'transit/keys/a')).status).toBe(404)
    expect((await server.api('GET', 'transit/keys/a', undefined, there)).status).toBe(200)
  })
})

describe('keys an operator made', () => {
  it('are there as they are: the playbook’s', async () => {
    const backend = await backendOf()
    const record = await backend.describe('rustfs-master')
    expect(record).toMatchObject({ origin: 'EXTERNAL', adopted: true, state: 'Enabled', currentVersion: 1 })
    const wrapped = await wrap(backend, record)
    expect(await unwrap(backend, record, wrapped)).toBe('kept')
    await expect(backend.destroy(record.keyId, record.etag)).rejects.toMatchObject({ code: 'KeyAdopted' })
    // Rotated where it was made: seen at the next look, and what was wrapped opens.
    await vault.server.cli('write', '-f', 'transit/keys/rustfs-master/rotate')
    const rotated = await backend.describe('rustfs-master')
    expect(rotated.currentVersion).toBe(2)
    expect(rotated.materialId).not.toBe(record.materialId)
    expect(await unwrap(backend, record, wrapped)).toBe('kept')
    expect(await unwrap(backend, rotated, await wrap(backend, rotated))).toBe('kept')
    expect((await api('GET', 'transit/keys/rustfs-master')).body.data.deletion_allowed).toBe(false)
  })

  it.each(['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305'])(
    'of type %s wrap',
    async (type) => {
      await api('POST', `transit/keys/${prefix}`, { type })
      const backend = await backendOf()
      const record = await backend.describe(prefix)
      expect(record).toMatchObject({ state: 'Enabled', adopted: true })
      const wrapped = await wrap(backend, record)
      expect(await unwrap(backend, record, wrapped)).toBe('kept')
      await expect(
        backend.unwrap({
          keyId: prefix,
          version: 1,
          algorithm: backend.algorithm,
          materialId: record.materialId,
          wrapped,
          aad: Buffer.alloc(32, 2),
        }),
      ).rejects.toMatchObject({ code: 'InvalidCiphertext' })
    },
  )

  it.each([
    [{ type: 'rsa-2048' }, 'rsa-2048'],
    [{ type: 'ed25519' }, 'ed25519'],
    [{ type: 'hmac', key_size: 32 }, 'hmac'],
    [{ type: 'aes256-gcm96', derived: true }, 'derived'],
    [{ type: 'aes256-gcm96', derived: true, convergent_encryption: true }, 'derived'],
  ])('of kind %j are listed as unusable', async (kind, problem) => {
    await api('POST', `transit/keys/${prefix}`, kind)
    const backend = await backendOf()
    const record = await backend.describe(prefix)
    expect(record).toMatchObject({ state: 'Unavailable', problem: expect.stringContaining(problem) })
    const { keys } = await backend.list({ limit: 1000 })
    expect(keys).toContainEqual(record)
    await expect(wrap(backend, record)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    await api('POST', `transit/keys/${prefix}/config`, { deletion_allowed: true })
    await api('DELETE', `transit/keys/${prefix}`)
  })

  it('that may be exported or backed up get a warning', async () => {
    await api('POST', `transit/keys/${prefix}`, { exportable: true, allow_plaintext_backup: true })
    const warnings: string[] = []
    const backend = await backendOf({}, { driver: { onWarning: (message) => warnings.push(message) } })
    for (let i = 0; i < 2; i++) await backend.describe(prefix)
    expect(warnings).toEqual([expect.stringContaining('exportable'), expect.stringContaining('plaintext backups')])
  })

  it('that are soft-deleted, disallowed or deleted there are named as what they are', async () => {
    const backend = await backendOf()
    let record = await backend.create(newKey(prefix))
    const first = record
    const wrapped = await wrap(backend, record)
    record = await backend.rotate(prefix, record.etag)
    await api('POST', `transit/keys/${prefix}/config`, { min_decryption_version: 2 })
    expect((await backend.describe(prefix)).oldestVersion).toBe(2)
    await expect(unwrap(backend, first, wrapped, 1)).rejects.toMatchObject({
      code: 'KeyUnavailable',
      message: expect.stringContaining('min_decryption_version is 2'),
    })
    await api('POST', `transit/keys/${prefix}/config`, { min_decryption_version: 1 })
    expect(await unwrap(backend, first, wrapped, 1)).toBe('kept')
    const soft = await api('DELETE', `transit/keys/${prefix}/soft-delete`)
    if (soft.status < 300) {
      expect(await backend.describe(prefix)).toMatchObject({
        state: 'Unavailable',
        problem: expect.stringContaining('soft-'),
      })
      await api('POST', `transit/keys/${prefix}/soft-delete-restore`)
    }
    await api('POST', `transit/keys/${prefix}/config`, { deletion_allowed: true })
    await api('DELETE', `transit/keys/${prefix}`)
    await expect(backend.describe(prefix)).rejects.toMatchObject({
      code: 'KeyUnavailable',
      message: expect.stringContaining('Transit holds no key'),
    })
    await expect(unwrap(backend, record, wrapped, 1)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('a key made again in Transit under the same name is told from the one before', async () => {
    const backend = await backendOf()
    const record = await backend.create(newKey(prefix))
    const wrapped = await wrap(backend, record)
    await api('POST', `transit/keys/${prefix}/config`, { deletion_allowed: true })
    await api('DELETE', `transit/keys/${prefix}`)
    // Creation times are whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await api('POST', `transit/keys/${prefix}`, {})
    await expect(unwrap(backend, record, wrapped)).rejects.toMatchObject({ code: 'KeyMaterialReplaced' })
  })
})

describe('a batch', () => {
  const sealedBy = (record: KeyRecord, wrapped: readonly unknown[]) =>
    wrapped.map((bytes) => ({
      keyId: record.keyId,
      version: 1,
      algorithm: VAULT_TRANSIT,
      materialId: record.materialId,
      wrapped: bytes as Buffer,
      aad,
    }))

  it('is one request, whatever becomes of its items', async () => {
    const asked: string[] = []
    const peer = { headers: () => ({}), attempted: (request: string) => void asked.push(request) }
    const backend = await backendOf({}, { peer })
    const record = await backend.create(newKey(prefix))
    asked.length = 0
    const texts = Array.from({ length: 128 }, (_, i) => Buffer.from(`text ${i}`))
    const wrapped = await backend.wrapMany?.(texts.map((plaintext) => ({ keyId: prefix, version: 1, plaintext, aad })))
    expect(asked).toEqual(['encrypt'])
    asked.length = 0
    const requests = sealedBy(record, wrapped ?? []).map((request, i) => ({
      ...request,
      ...(i === 7 ? { version: 9 } : {}),
      ...(i === 8 ? { algorithm: 1 } : {}),
      ...(i === 9 ? { aad: Buffer.alloc(32, 9) } : {}),
    }))
    const answers = (await backend.unwrapMany?.(requests)) ?? []
    // The key is looked at once more, to say why they do not open.
    expect(asked.sort()).toEqual(['decrypt', 'key-read', 'kv-read'])
    for (const [i, outcome] of answers.entries()) {
      if (i < 7 || i > 9) expect(String(outcome)).toBe(`text ${i}`)
    }
    expect(answers.slice(7, 10).map((outcome) => isKmsError(outcome) && outcome.code)).toEqual([
      'KeyMaterialReplaced',
      'InvalidCiphertext',
      'InvalidCiphertext',
    ])
    expect(await backend.wrapMany?.([])).toEqual([])
    const absent = [{ keyId: 'nobody', version: 1, plaintext: aad, aad }]
    expect(await backend.wrapMany?.(absent)).toMatchObject([{ code: 'KeyNotFound' }])
  })

  it('of any size has an answer for each item, in order', async () => {
    const backend = await backendOf()
    const record = await backend.create(newKey(prefix))
    const plaintexts = Array.from({ length: 1000 }, (_, i) => Buffer.alloc(i === 500 ? 4096 : 32, i))
    const wrapped = await backend.wrapMany?.(
      plaintexts.map((plaintext) => ({ keyId: prefix, version: 1, plaintext, aad })),
    )
    const answers = (await backend.unwrapMany?.(sealedBy(record, wrapped ?? []))) ?? []
    expect(answers.length).toBe(1000)
    for (const [i, outcome] of answers.entries()) {
      expect((outcome as Buffer).equals(plaintexts[i] as Buffer), `item ${i}`).toBe(true)
    }
  })

  it('that is refused as a whole is not mistaken for damage', async () => {
    const backend = await backendOf()
    const record = await backend.create(newKey(prefix))
    const [request] = sealedBy(record, [await wrap(backend, record)])
    await api('POST', `transit/keys/${prefix}/config`, { deletion_allowed: true })
    await api('DELETE', `transit/keys/${prefix}`)
    const outcomes = await backend.unwrapMany?.([request as UnwrapRequest, request as UnwrapRequest])
    expect(outcomes).toMatchObject([{ code: 'KeyUnavailable' }, { code: 'KeyUnavailable' }])
  })

  it('that gets no answer at all is rejected', async () => {
    const backend = await backendOf({ retry_attempts: 0 })
    const record = await backend.create(newKey(prefix))
    const [request] = sealedBy(record, [await wrap(backend, record)])
    await vault.server.seal()
    await expect(backend.unwrapMany?.([request as UnwrapRequest])).rejects.toMatchObject({ code: 'BackendUnavailable' })
    await vault.server.unseal()
  })
})

describe('a destroyed key', () => {
  it('is gone from Transit, which was not allowed to delete it before', async () => {
    const backend = await backendOf()
    const record = await backend.create(newKey(prefix))
    expect((await api('GET', `transit/keys/${prefix}`)).body.data.deletion_allowed).toBe(false)
    await backend.destroy(prefix, record.etag)
    expect((await api('GET', `transit/keys/${prefix}`)).status).toBe(404)
  })

  it('is not brought back by a wrap, whoever does not know yet that it is gone', async () => {
    const backend = await backendOf()
    const other = await backendOf()
    const record = await backend.create(newKey(prefix))
    await other.describe(prefix)
    await backend.destroy(prefix, record.etag)
    await expect(wrap(other, record)).rejects.toMatchObject({ code: 'KeyDestroyed' })
    expect((await api('GET', `transit/keys/${prefix}`)).status).toBe(404)
  })

  it('would be, with a token that may create: the start warns of that', async () => {
    const { notes } = await open(
      {},
      {},
      policyFor((text) =>
        text.replace('encrypt/+"     { capabilities = ["update"]', 'encrypt/+" { capabilities = ["create", "update"]'),
      ),
    )
    expect(notes).toEqual([expect.stringContaining('"create" on transit/encrypt/*')])
    const root = await openLive(vault.server, {
      auth_method: { token: vault.server.rootToken },
      key_path_prefix: prefix,
    })
    opened.push(root.backend)
    expect(root.notes).toEqual([expect.stringContaining('"create"')])
  })
})

describe('the documented policy', () => {
  /** Everything the server does, by what is refused without each capability. */
  const needs: readonly (readonly [string, string, readonly string[]])[] = [
    ['"transit/keys"', 'list', ['open', 'list']],
    ['"transit/keys/+"', 'read', ['describe', 'create', 'list', 'health']],
    ['"transit/keys/+"', 'update', ['create']],
    ['"transit/keys/+"', 'delete', ['destroy']],
    ['"transit/keys/+/config"', 'update', ['destroy']],
    ['"transit/keys/+/rotate"', 'update', ['rotate']],
    ['"transit/wrapping_key"', 'read', ['import']],
    ['"transit/keys/+/import"', 'update', ['import']],
    ['"transit/encrypt/+"', 'update', ['wrap']],
    ['"transit/decrypt/+"', 'update', ['unwrap']],
    [`"secret/metadata/PREFIX"`, 'list', ['open', 'list']],
    [`"secret/data/PREFIX/+"`, 'create', ['open', 'create']],
    [`"secret/data/PREFIX/+"`, 'read', ['open']],
    [`"secret/data/PREFIX/+"`, 'update', ['create', 'update', 'rotate', 'destroy']],
  ]

  function without(path: string, capability: string): string {
    const lines = policyFor().split('\n')
    const at = lines.findIndex((line) => line.includes(`path ${path.replace('PREFIX', prefix)} `))
    const before = lines[at] ?? ''
    lines[at] = before
      .replace(`"${capability}"`, '')
      .replace(/\[, |, (?=[,\]])/, (found) => (found === '[, ' ? '[' : ''))
    expect(lines[at], 'the policy has this line and capability').not.toBe(before)
    return lines.join('\n').replaceAll('[]', '["deny"]')
  }

  it('has nothing in it that is not needed', () => {
    const granted = policyFor()
      .split('\n')
      .flatMap((line) => {
        const match = /^path ("[^"]+")\s+\{ capabilities = \[(.*)\] \}$/.exec(line)
        const capabilities = match?.[2]?.split(', ') ?? []
        return capabilities.map((each) => [String(match?.[1]).replace(prefix, 'PREFIX'), each.replaceAll('"', '')])
      })
    const covered = needs.map(([path, capability]) => `${path},${capability}`)
    expect(granted.map(String).sort()).toEqual(covered.sort())
  })

  it.each(needs)(
    'without %s %s these are refused, by name, and nothing else: %j',
    async (path, capability, refused) => {
      // A store with keys in it, made under the whole policy.
      const whole = await backendOf()
      const key = await whole.create(newKey(`${prefix}-a`))
      const doomed = await whole.create(newKey(`${prefix}-b`))
      const wrapped = await wrap(whole, key)
      const outcomes: string[] = []
      const attempt = async (name: string, work: () => Promise<unknown>): Promise<void> => {
        try {
          await work()
        } catch (error) {
          if (!isKmsError(error, 'BackendDenied')) throw error
          expect(error.message).toMatch(/refuses to .*: the policy of its token does not allow that/)
          outcomes.push(name)
        }
      }
      const less = without(path, capability)
      // To make a store takes more than to open one.
      const initial = less
        .replaceAll(`secret/data/${prefix}/`, `secret/data/${prefix}/new/`)
        .replaceAll(`metadata/${prefix}"`, `metadata/${prefix}/new"`)
      await attempt('open', () => open({ key_path_prefix: `${prefix}/new` }, {}, initial))
      let backend: KeyBackend | undefined
      await attempt('open', async () => {
        backend = await backendOf({}, {}, less)
      })
      if (backend !== undefined) {
        const one = backend
        await attempt('health', () => one.health())
        await attempt('describe', () => one.describe(key.keyId))
        await attempt('list', () => one.list({ limit: 1000 }))
        // What cannot be described cannot be tried.
        if (!outcomes.includes('describe')) {
          await attempt('wrap', () => wrap(one, key))
          await attempt('unwrap', () => unwrap(one, key, wrapped))
          let current = key
          await attempt('update', async () => {
            current = await one.update(key.keyId, { description: 'x' }, key.etag)
          })
          await attempt('rotate', () => one.rotate(key.keyId, current.etag))
          await attempt('destroy', () => one.destroy(doomed.keyId, doomed.etag))
        }
        await attempt('create', () => one.create(newKey(`${prefix}-c`)))
        if (!outcomes.includes('create')) {
          await attempt('import', () => one.create(newKey(`${prefix}-d`, { material: Buffer.alloc(32, 9) })))
        }
      }
      expect([...new Set(outcomes)].sort()).toEqual([...refused].sort())
      // What was refused changed nothing: the whole policy still finds it.
      expect((await whole.describe(key.keyId)).state).toBe('Enabled')
      expect(await unwrap(whole, key, wrapped)).toBe('kept')
      if (outcomes.includes('destroy')) expect((await whole.describe(doomed.keyId)).state).toBe('Enabled')
    },
  )
})
