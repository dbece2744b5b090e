import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { makeAuthority, makeCertificate } from '../../../tools/certificates.ts'
import { requireOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { startOpenBao } from '../../../tools/openbao/openbao-server.ts'
import { makeAppRole, makeToken, policy, prepareMounts } from '../../../tools/openbao/prepare.ts'
import { createFixture, temporaryFolder } from './fixture.ts'

interface Finding {
  readonly check: string
  readonly outcome: string
  readonly text: string
}

const findingsOf = (out: string, check: string): Finding[] =>
  (JSON.parse(out) as { findings: Finding[] }).findings.filter((each) => each.check === check)

/** A clock that is wrong by so many seconds. */
const shifted = (seconds: number): string =>
  `--import=data:text/javascript,${encodeURIComponent(
    `const Real = Date; globalThis.Date = class extends Real { constructor(...a) { super(...(a.length ? a : [Real.now() + ${seconds * 1000}])) } static now() { return Real.now() + ${seconds * 1000} } }`,
  )}`

describe('the clock', () => {
  it.each([
    [1200, 'problem', /^This clock is (1199|1200|1201) s ahead of .*Set the wrong one\.$/, 7],
    [-1200, 'problem', /^This clock is (1199|1200|1201) s behind .*Set the wrong one\.$/, 7],
    [120, 'warning', /^This clock is (119|120|121) s ahead of .*from 900 s on nothing is accepted\.$/, 0],
  ])('that is %i s wrong is found and explained', async (seconds, outcome, text, code) => {
    const { kmsctl, json, folder } = await createFixture()
    await json('config', 'change', '--set', 'backend_type=local', `key_dir=${join(folder, 'keys')}`)
    const ended = await kmsctl(['--json', 'doctor'], { env: { NODE_OPTIONS: shifted(seconds) } })
    expect(ended.code).toBe(code)
    expect(findingsOf(ended.out, 'clock')).toEqual([{ check: 'clock', outcome, text: expect.stringMatching(text) }])
  })
})

describe('TLS', () => {
  it('of an authority nobody gave is explained, and shows how long the certificate lasts once it was', async () => {
    const folder = temporaryFolder()
    const authority = makeAuthority(folder)
    const { cert, key } = makeCertificate(folder, 'server', authority, { names: ['IP:127.0.0.1', 'DNS:localhost'] })
    const { kmsctl } = await createFixture({ KMS_TLS_CERT: cert, KMS_TLS_KEY: key })
    const refused = await kmsctl(['--json', 'doctor'])
    expect(refused.code).toBe(7)
    expect(findingsOf(refused.out, 'TLS')).toMatchObject([
      { outcome: 'problem', text: expect.stringMatching(/not trusted \(\w+\).*--ca/) },
    ])
    const trusted = await kmsctl(['--json', '--ca', authority.cert, 'doctor'])
    expect(findingsOf(trusted.out, 'TLS')).toMatchObject([
      { text: expect.stringMatching(/^TLSv1\.3; .* more days\.$/) },
    ])
    expect(findingsOf(trusted.out, 'server')).toMatchObject([{ outcome: 'good' }])
  })
})

describe('permissions', () => {
  it('are those of the caller: what it may not is said, and what it is for is tried', async () => {
    const { kmsctl, json, folder } = await createFixture()
    await json(
      'config',
      'change',
      '--set',
      'backend_type=local',
      `key_dir=${join(folder, 'keys')}`,
      'default_key_id=main',
    )
    const secret = join(folder, 'secret')
    writeFileSync(secret, 'battery staple')
    const env = { KMSCTL_ACCESS_KEY: 'ann', KMSCTL_SECRET_KEY: 'battery staple' }

    await json('users', 'add', 'ann', '--secret-file', secret, '--policy', 'KMSKeyUser,KMSAuditor')
    const user = await kmsctl(['--json', 'doctor'], { env })
    expect(user.code).toBe(0)
    expect(findingsOf(user.out, 'credentials')).toMatchObject([{ outcome: 'good' }])
    expect(findingsOf(user.out, 'permissions')).toMatchObject([
      { text: 'Allowed: kms:ListKeys. Not allowed: kms:Configure, admin:ListUsers.' },
    ])
    expect(findingsOf(user.out, 'default key')).toMatchObject([{ outcome: 'good', text: 'main wraps and unwraps.' }])

    const document = join(folder, 'policy.json')
    const statement = { Effect: 'Allow', Action: ['kms:GenerateDataKey'], Resource: '*' }
    writeFileSync(document, JSON.stringify({ Version: '2012-10-17', Statement: [statement] }))
    await json('policies', 'add', 'sealer', '-f', document)
    await json('users', 'add', 'ann', '--secret-file', secret, '--policy', 'sealer')
    const sealer = await kmsctl(['--json', 'doctor'], { env })
    expect(sealer.code).toBe(0)
    expect(findingsOf(sealer.out, 'credentials')).toMatchObject([
      { outcome: 'note', text: expect.stringContaining('may not see the status') },
    ])
    expect(findingsOf(sealer.out, 'default key')).toMatchObject([
      { outcome: 'note', text: expect.stringMatching(/^the default key: AccessDenied: .*kms:Decrypt/) },
    ])
  })
})

describe('a policy of Vault', () => {
  it('is compared with what the server needs, path by path', { timeout: 120_000 }, async ({ skip }) => {
    const program = requireOpenBao(skip)
    const vault = await startOpenBao({ program, cleanup: onTestFinished })
    await prepareMounts(vault)
    const ca = join(temporaryFolder(), 'ca.pem')
    writeFileSync(ca, vault.ca)
    const trust = { NODE_EXTRA_CA_CERTS: ca }
    const { kmsctl, json, folder } = await createFixture(trust)
    const document = join(folder, 'vault.json')
    const approle = await makeAppRole(vault)
    const config = { backend_type: 'vault', address: vault.address, auth_method: { approle } }
    writeFileSync(document, JSON.stringify({ ...config, default_key_id: 'rustfs-master' }))
    await json('config', 'change', '-f', document)

    const without = await kmsctl(['--json', 'doctor'])
    expect(findingsOf(without.out, 'Vault policy')).toMatchObject([{ outcome: 'note' }])
    const all = await kmsctl(['--json', 'doctor'], { env: { ...trust, VAULT_TOKEN: await makeToken(vault) } })
    expect([all.code, findingsOf(all.out, 'Vault policy')]).toMatchObject([0, [{ outcome: 'good' }]])

    const lines: readonly [string, string][] = [
      ['path "transit/encrypt/+"', 'path "transit/encrypt/+" needs "update", to wrap.'],
      ['path "transit/keys/+/rotate"', 'path "transit/keys/+/rotate" needs "update", to rotate keys.'],
      ['path "secret/data/', 'path "secret/data/rustfs/kms/keys/+" needs "create", "read", "update", to keep records.'],
    ]
    const left = policy.split('\n').filter((line) => !lines.some(([start]) => line.startsWith(start)))
    const token = await makeToken(vault, { name: 'gaps', policy: left.join('\n') })
    const gaps = await kmsctl(['--json', 'doctor'], { env: { ...trust, VAULT_TOKEN: token } })
    expect(gaps.code).toBe(7)
    const found = findingsOf(gaps.out, 'Vault policy')
    expect(found.every(({ outcome }) => outcome === 'problem')).toBe(true)
    expect(found.map(({ text }) => text).toSorted()).toEqual(lines.map(([, text]) => text).toSorted())
    expect(gaps.out).not.toContain(token)

    // Uploads and the rest of the program, with keys in Vault.
    await json('objects', 'make-bucket', 'letters')
    const made = await json('objects', 'put', document, 'letters/', '--sse', 'aws:kms')
    expect(made).toMatchObject({ kms_key_id: 'rustfs-master' })
    expect((await json('objects', 'verify', 'letters'))['results']).toMatchObject([{ outcome: 'ok' }])
    expect((await json('bulk', 'verify'))['results']).toEqual([{ key_id: 'rustfs-master', outcome: 'ok' }])
  })
})
