import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyBackend, KeyRecord } from '@kms/core'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeAuthority, makeCertificate } from '../../../tools/certificates.ts'
import { findOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { type OpenBao, startOpenBao, until } from '../../../tools/openbao/openbao-server.ts'
import { type AppRole, makeAppRole, makeToken, prepareMounts } from '../../../tools/openbao/prepare.ts'
import { startTcpProxy } from '../../../tools/openbao/tcp-proxy.ts'
import { vaultDriver } from '../src/vault-driver.ts'
import { type Fields, liveVault, type OpenLive, openLive } from './live-vault.ts'

const vault = liveVault()
const aad = Buffer.alloc(32, 1)
let opened: KeyBackend[]
let folder: string
beforeEach(() => {
  opened = []
  folder = mkdtempSync(join(tmpdir(), 'kms-access-'))
})
afterEach(async () => {
  for (const backend of opened) await backend.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(fields: Fields, options: OpenLive = {}, server: OpenBao = vault.server): Promise<KeyBackend> {
  const { driver = {} } = options
  const policy = { allowSecretFiles: [folder], ...('policy' in driver ? driver.policy : {}) }
  const { backend } = await openLive(server, fields, {
    ...options,
    driver: 'type' in driver ? driver : { ...driver, policy },
  })
  opened.push(backend)
  return backend
}

/** A file a configuration may name. */
function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const api = (...args: Parameters<OpenBao['api']>) => vault.server.api(...args)

async function expectWorks(backend: KeyBackend): Promise<KeyRecord> {
  const record = await backend.describe('rustfs-master')
  await backend.wrap({ keyId: record.keyId, version: record.currentVersion, plaintext: aad, aad })
  return record
}

/** Tokens of logins of a role that are still good. */
async function accessors(): Promise<ReadonlySet<string>> {
  const { body } = await api('GET', 'auth/token/accessors?list=true')
  return new Set(body.data.keys)
}

describe('the way to a server', () => {
  let token: string
  beforeEach(async () => {
    token = await makeToken(vault.server)
  })

  it('is trusted by the authority it is given, as text or as a file', async () => {
    await expectWorks(await open({ auth_method: { token } }))
    const ca_cert_path = file('ca.pem', vault.server.ca)
    await expectWorks(await open({ auth_method: { token }, ca_cert: undefined, ca_cert_path }))
  })

  it('is not trusted by another authority, nor by those of the system', async () => {
    const other = readFileSync(makeAuthority(folder, 'other').cert, 'utf8')
    for (const ca_cert of [other, undefined]) {
      await expect(open({ auth_method: { token }, ca_cert })).rejects.toMatchObject({
        code: 'BackendUnavailable',
        message: expect.stringContaining('not signed by an authority trusted here'),
      })
    }
  })

  it('is not checked only where the server’s policy says so', async () => {
    const fields = { auth_method: { token }, ca_cert: undefined, skip_tls_verify: true }
    await expect(open(fields)).rejects.toMatchObject({ code: 'PolicyViolation' })
    await expectWorks(await open(fields, { driver: { policy: { allowSkipTlsVerify: true } } }))
  })

  it('leads to the name the certificate has', async () => {
    const { port } = vault.server
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
    const address = `https://vault.kms.test:${port}`
    await expect(open({ auth_method: { token }, address }, { driver: { resolve } })).rejects.toMatchObject({
      message: expect.stringContaining('for another name; tls_server_name'),
    })
    const named = { auth_method: { token }, address, tls_server_name: 'localhost' }
    await expectWorks(await open(named, { driver: { resolve } }))
    // The environment has no say in it.
    process.env['VAULT_SKIP_VERIFY'] = 'true'
    try {
      await expect(open({ auth_method: { token }, address }, { driver: { resolve } })).rejects.toMatchObject({
        code: 'BackendUnavailable',
      })
    } finally {
      delete process.env['VAULT_SKIP_VERIFY']
    }
  })

  it('is https where https is spoken', async () => {
    const { port } = vault.server
    const once = { auth_method: { token }, retry_attempts: 0 }
    await expect(open({ ...once, address: `http://127.0.0.1:${port}`, ca_cert: undefined })).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining('answers 400, and not as Vault does'),
    })
    const plain = createServer((_, response) => void response.end('hello'))
    await new Promise<void>((resolve) => {
      plain.listen(0, '127.0.0.1', resolve)
    })
    const { port: plainPort } = plain.address() as { port: number }
    await expect(open({ ...once, address: `https://127.0.0.1:${plainPort}` })).rejects.toMatchObject({
      message: expect.stringContaining('does it speak TLS on that port?'),
    })
    plain.close()
  })

  it.each([
    [{ ca_cert: '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----' }, 'ca_cert: is no certificate'],
    [
      { client_cert: '-----BEGIN CERTIFICATE-----\nnonsense', client_key: 'nonsense' },
      'client_cert: is no certificate',
    ],
  ])('is not even begun with %j', async (fields, message) => {
    await expect(open({ auth_method: { token }, ...fields })).rejects.toMatchObject({
      code: 'ValidationError',
      message: expect.stringContaining(message),
    })
  })

  it('does not lead into files that are no certificates, or lie elsewhere', async () => {
    const ca_cert_path = file('not-a-ca', 'hello')
    const fields = { auth_method: { token }, ca_cert: undefined }
    await expect(open({ ...fields, ca_cert_path })).rejects.toMatchObject({ code: 'ValidationError' })
    await expect(open({ ...fields, ca_cert_path: '/etc/hostname' })).rejects.toMatchObject({ code: 'PolicyViolation' })
  })
})

describe('a server that demands client certificates', () => {
  let server: OpenBao
  let token: string
  let certs: string
  beforeAll(async () => {
    const found = findOpenBao()
    if ('missing' in found) return
    certs = mkdtempSync(join(tmpdir(), 'kms-certs-'))
    vault.cleanup(async () => rmSync(certs, { recursive: true, force: true }))
    const authority = makeAuthority(certs)
    const { cert, key } = makeCertificate(certs, 'operator', authority, { usage: 'clientAuth' })
    server = await startOpenBao({
      program: found.program,
      cleanup: vault.cleanup,
      authority,
      listener: `tls_require_and_verify_client_cert = true\n  tls_client_ca_file = ${JSON.stringify(authority.cert)}`,
      client: { cert, key },
    })
    await prepareMounts(server)
    token = await makeToken(server)
  })

  it('is given one, and takes no other', async () => {
    const pair = (folderOf: string, name: string, signer: ReturnType<typeof makeAuthority>) => {
      const { cert, key } = makeCertificate(folderOf, name, signer, { usage: 'clientAuth' })
      return { client_cert: readFileSync(cert, 'utf8'), client_key: readFileSync(key, 'utf8') }
    }
    const good = pair(certs, 'kms', server.authority)
    await expectWorks(await open({ auth_method: { token }, ...good }, {}, server))
    const bad = pair(folder, 'kms', makeAuthority(folder))
    for (const fields of [{}, bad]) {
      await expect(open({ auth_method: { token }, retry_attempts: 0, ...fields }, {}, server)).rejects.toMatchObject({
        code: 'BackendUnavailable',
      })
    }
    await expect(
      open({ auth_method: { token }, client_cert: good.client_cert, client_key: bad.client_key }, {}, server),
    ).rejects.toMatchObject({ code: 'ValidationError', message: expect.stringContaining('does not belong') })
  })
})

describe('a token', () => {
  it('is looked up at the start, and not revoked at the end', async () => {
    const token = await makeToken(vault.server, { settings: { ttl: '1h', explicit_max_ttl: '1h' } })
    const backend = await open({ auth_method: { token } })
    await expectWorks(backend)
    const expiry = backend.credentialsExpireAt ?? 0
    expect(Math.abs(expiry - Date.now() - 3_600_000)).toBeLessThan(10_000)
    await backend.close()
    expect((await api('GET', 'auth/token/lookup-self', undefined, { 'X-Vault-Token': token })).status).toBe(200)
  })

  it('without end has none', async () => {
    const backend = await open({ auth_method: { token: vault.server.rootToken } })
    expect(backend.credentialsExpireAt).toBeUndefined()
  })

  it('that is wrong, expired or revoked is refused by name', async () => {
    const expired = await makeToken(vault.server, { settings: { ttl: '1s', explicit_max_ttl: '1s' } })
    const revoked = await makeToken(vault.server)
    await api('POST', 'auth/token/revoke', { token: revoked })
    await until('it has expired', async () => {
      const looked = await api('GET', 'auth/token/lookup-self', undefined, { 'X-Vault-Token': expired })
      return looked.status === 403
    })
    for (const token of ['s.nonsense', expired, revoked]) {
      await expect(open({ auth_method: { token } })).rejects.toMatchObject({
        code: 'CredentialsRefused',
        message: expect.stringContaining('auth_method.token.token'),
      })
    }
  })

  it('that ends in use is not sent any more, and named as that', async () => {
    const token = await makeToken(vault.server, { settings: { ttl: '2s', explicit_max_ttl: '2s' } })
    const backend = await open({ auth_method: { token } })
    await expectWorks(backend)
    let failure: unknown
    await until('it has ended', () =>
      expectWorks(backend).then(
        () => false,
        (error: unknown) => {
          failure = error
          return true
        },
      ),
    )
    expect(failure).toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining('its token has expired or was revoked, and there is no other'),
    })
  })

  it('that is revoked in use is named as that', async () => {
    const token = await makeToken(vault.server)
    const backend = await open({ auth_method: { token } })
    await expectWorks(backend)
    await api('POST', 'auth/token/revoke', { token })
    await expect(expectWorks(backend)).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining('its token has expired or was revoked'),
    })
  })
})

describe('a token file', () => {
  it('is read, and read again when it changes', async () => {
    const first = await makeToken(vault.server)
    const path = file('token', `${first}\n`)
    const backend = await open({ auth_method: { token_file: { path } } })
    await expectWorks(backend)
    const second = await makeToken(vault.server)
    writeFileSync(path, second)
    await until('the other token is used', async () => {
      await api('POST', 'auth/token/revoke', { token: first })
      return expectWorks(backend).then(
        () => true,
        () => false,
      )
    })
    expect((await api('GET', 'auth/token/lookup-self', undefined, { 'X-Vault-Token': second })).status).toBe(200)
  })

  it('may not be anywhere, and must hold a token', async () => {
    mkdirSync(join(folder, 'directory'))
    for (const [path, code] of [
      ['/etc/hostname', 'PolicyViolation'],
      [join(folder, 'absent'), 'ValidationError'],
      [join(folder, 'directory'), 'ValidationError'],
      [file('empty', ''), 'ValidationError'],
      [file('bad', 's.nonsense'), 'CredentialsRefused'],
    ]) {
      await expect(open({ auth_method: { token_file: { path } } })).rejects.toMatchObject({ code })
    }
  })
})

describe('an AppRole', () => {
  let role: AppRole
  beforeEach(async () => {
    role = await makeAppRole(vault.server)
  })

  it('logs in, and its token is revoked at the end', async () => {
    const before = await accessors()
    const backend = await open({ auth_method: { approle: role } })
    await expectWorks(backend)
    const during = [...(await accessors())].filter((accessor) => !before.has(accessor))
    expect(during.length).toBe(1)
    await backend.close()
    expect((await accessors()).has(during[0] as string)).toBe(false)
  })

  it('logs out again when the store cannot be opened', async () => {
    const before = await accessors()
    await expect(open({ auth_method: { approle: role }, key_path_prefix: 'not/ours' })).rejects.toMatchObject({
      code: 'BackendDenied',
    })
    expect([...(await accessors())].filter((accessor) => !before.has(accessor))).toEqual([])
  })

  it('takes its secret id from a file, anew for each login', async () => {
    const { role_id, secret_id } = role
    const path = file('secret-id', `${secret_id}\n`)
    const backend = await open({ auth_method: { approle: { role_id, secret_id_file: path } } })
    await expectWorks(backend)
    const again = await makeAppRole(vault.server)
    await api('POST', 'auth/approle/role/kms/secret-id/destroy', { secret_id })
    writeFileSync(path, again.secret_id)
    await revokeLogins()
    await expectWorks(backend)
  })

  it('whose token is revoked in use logs in again, without one failed request', async () => {
    const backend = await open({ auth_method: { approle: role } })
    const record = await expectWorks(backend)
    for (let i = 0; i < 5; i++) {
      await revokeLogins()
      await Promise.all(
        Array.from({ length: 8 }, () =>
          backend.wrap({ keyId: record.keyId, version: record.currentVersion, plaintext: aad, aad }),
        ),
      )
    }
  })

  it.each([
    [{ secret_id: 'wrong' }, 'role_id or secret_id is wrong'],
    [{ role_id: 'wrong' }, 'role_id or secret_id is wrong'],
    [{ secret_id: undefined }, 'role_id or secret_id is wrong'],
    [{ mount: 'elsewhere' }, /no auth method is mounted|role_id or secret_id is wrong/],
  ])('with %j is refused', async (changes, reason) => {
    await expect(open({ auth_method: { approle: { ...role, ...changes } } })).rejects.toMatchObject({
      code: 'CredentialsRefused',
      message: expect.stringMatching(reason),
    })
  })

  it('opens a response-wrapped secret id once, and can be opened again meanwhile', async () => {
    const approle = { role_id: role.role_id, secret_id: await wrapped(), secret_id_wrapped: true }
    // One driver, as one process has it.
    const driver = vaultDriver({ policy: {} })
    const open2 = () => open({ auth_method: { approle } }, { driver })
    const first = await open2()
    await expectWorks(first)
    await expectWorks(await open2())
    await revokeLogins()
    await expectWorks(first)
    // Another process has not seen it opened, and says that somebody has.
    await expect(open({ auth_method: { approle } })).rejects.toMatchObject({
      code: 'CredentialsRefused',
      message: expect.stringContaining('was opened already; if not by this server, find out by whom'),
    })
  })

  it('does not take what was wrapped elsewhere for a secret id', async () => {
    const { body } = await api(
      'POST',
      'sys/wrapping/wrap',
      { secret_id: role.secret_id },
      wrapFor(vault.server.rootToken),
    )
    const approle = { role_id: role.role_id, secret_id: body.wrap_info.token, secret_id_wrapped: true }
    await expect(open({ auth_method: { approle } })).rejects.toMatchObject({
      code: 'CredentialsRefused',
      message: expect.stringContaining('does not hold a secret id of this auth method'),
    })
    // It was looked at and not opened.
    expect((await api('POST', 'sys/wrapping/lookup', { token: body.wrap_info.token })).status).toBe(200)
  })

  it('renews within the life of its token, and logs in anew beyond it', async () => {
    const short = await makeAppRole(vault.server, { name: 'short', settings: { token_ttl: '2s', token_max_ttl: '4s' } })
    const backend = await open({ auth_method: { approle: short } })
    const record = await expectWorks(backend)
    const end = Date.now() + 5000
    let requests = 0
    while (Date.now() < end) {
      await backend.wrap({ keyId: record.keyId, version: record.currentVersion, plaintext: aad, aad })
      requests += 1
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(requests).toBeGreaterThan(50)
    expect(backend.credentialsExpireAt).toBeGreaterThan(Date.now())
  })

  it('sends nothing when it has no good token, and recovers by itself', async () => {
    const short = await makeAppRole(vault.server, { name: 'short', settings: { token_ttl: '2s', token_max_ttl: '2s' } })
    const { host, port } = vault.server
    const proxy = await startTcpProxy({ target: () => ({ host, port }) })
    try {
      const address = `https://127.0.0.1:${proxy.port}`
      const backend = await open({ auth_method: { approle: short }, address, timeout_seconds: 2, retry_attempts: 0 })
      await expectWorks(backend)
      proxy.mode = 'reset'
      await new Promise((resolve) => setTimeout(resolve, 2200))
      await expect(expectWorks(backend)).rejects.toMatchObject({ code: 'BackendUnavailable' })
      proxy.mode = 'pass'
      await until('it works again', () =>
        expectWorks(backend).then(
          () => true,
          () => false,
        ),
      )
    } finally {
      await proxy.close()
    }
  })

  const wrapFor = (token: string) => ({ 'X-Vault-Token': token, 'X-Vault-Wrap-TTL': '60s' })

  async function wrapped(): Promise<string> {
    const path = 'auth/approle/role/kms/secret-id'
    const { body } = await api('POST', path, {}, wrapFor(vault.server.rootToken))
    return body.wrap_info.token
  }

  /** Revokes what logged in, whoever it was. */
  async function revokeLogins(): Promise<void> {
    await api('POST', 'sys/leases/revoke-prefix/auth/approle/login')
  }
})

describe('a service account of Kubernetes', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const issuedAt = Math.floor(Date.now() / 1000) - 60

  it('logs in with its token, read anew for each login', async () => {
    // What Kubernetes' API server would say of the tokens it gave out.
    const reviewed: string[] = []
    const reviewer = createServer((request, response) => {
      let text = ''
      request.on('data', (chunk) => {
        text += chunk
      })
      request.on('end', () => {
        const { token } = JSON.parse(text).spec
        reviewed.push(token)
        const user = { username: 'system:serviceaccount:storage:kms', uid: 'u1', groups: [] }
        const status = { authenticated: token !== jwt('bad'), audiences: ['vault'], user }
        response.writeHead(201, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', status }))
      })
    })
    await new Promise<void>((resolve) => {
      reviewer.listen(0, '127.0.0.1', resolve)
    })
    try {
      const { server } = vault
      const { port } = reviewer.address() as { port: number }
      await makeToken(server)
      await server.cli('auth', 'enable', 'kubernetes')
      await api('POST', 'auth/kubernetes/config', {
        kubernetes_host: `http://127.0.0.1:${port}`,
        token_reviewer_jwt: jwt('reviewer'),
        kubernetes_ca_cert: server.ca,
        disable_local_ca_jwt: true,
      })
      await api('POST', 'auth/kubernetes/role/kms', {
        bound_service_account_names: 'kms',
        bound_service_account_namespaces: 'storage',
        token_policies: 'kms',
        audience: 'vault',
      })
      const jwt_path = file('jwt', jwt('one'))
      const backend = await open({ auth_method: { kubernetes: { role: 'kms', jwt_path } } })
      await expectWorks(backend)
      writeFileSync(jwt_path, jwt('two'))
      await api('POST', 'sys/leases/revoke-prefix/auth/kubernetes/login')
      await expectWorks(backend)
      expect(reviewed).toEqual([jwt('one'), jwt('two')])
      writeFileSync(jwt_path, jwt('bad'))
      await expect(open({ auth_method: { kubernetes: { role: 'kms', jwt_path } } })).rejects.toMatchObject({
        code: 'CredentialsRefused',
        message: expect.stringContaining('auth_method.kubernetes'),
      })
      await expect(open({ auth_method: { kubernetes: { role: 'nobody', jwt_path } } })).rejects.toMatchObject({
        code: 'CredentialsRefused',
      })
    } finally {
      reviewer.close()
    }
  })

  function jwt(id: string): string {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const account = { namespace: 'storage', serviceaccount: { name: 'kms', uid: 'u1' } }
    const claims = {
      iss: 'kubernetes/serviceaccount',
      sub: 'system:serviceaccount:storage:kms',
      aud: ['vault'],
      jti: id,
      iat: issuedAt,
      nbf: issuedAt,
      exp: issuedAt + 3600,
      'kubernetes.io': account,
      'kubernetes.io/serviceaccount/namespace': 'storage',
      'kubernetes.io/serviceaccount/service-account.name': 'kms',
      'kubernetes.io/serviceaccount/service-account.uid': 'u1',
    }
    const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
    return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
  }
})
