import { createHash, createPublicKey, publicEncrypt } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createFixture, run, temporaryFolder } from './fixture.ts'

describe('the calls of the API', () => {
  it('from nothing to a data key, and back', async () => {
    const { folder, kmsctl, json } = await createFixture()
    expect((await kmsctl(['status'])).out).toContain('status: NotConfigured')
    const config = join(folder, 'config.yaml')
    writeFileSync(config, `backend_type: local\nkey_dir: ${join(folder, 'keys')}\ndefault_key_id: main\n`)
    expect(await json('config', 'set', '-f', config, '--set', 'timeout_seconds=20')).toMatchObject({
      status: 'Configured',
    })
    expect(await json('start')).toMatchObject({ status: 'Running' })
    const key = await json(
      'keys',
      'create',
      '--name',
      'orders',
      '--tag',
      'team=blue',
      'env=prod',
      '--description',
      'all orders',
    )
    expect(key).toMatchObject({ key_id: 'orders', key_metadata: { tags: { team: 'blue', env: 'prod' } } })
    const made = await json('data', 'generate-key', '--key', 'orders', '--context', 'tenant=blue')
    const blob = String(made['ciphertext_blob'])
    expect(await json('data', 'decrypt', blob, '--context', 'tenant=blue')).toMatchObject({
      key_id: 'orders',
      plaintext: made['plaintext_key'],
    })
    const wrong = await kmsctl(['data', 'decrypt', blob])
    expect(wrong.code).toBe(1)
    expect(wrong.err).toMatch(/^kmsctl: InvalidCiphertext: .*\(request [0-9a-f-]{36}\)\n$/)
    expect(await json('keys', 'rotate', 'orders')).toMatchObject({ key_metadata: { current_version: 2 } })
    expect(await json('keys', 'rotation-period', 'orders', '90')).toMatchObject({
      key_metadata: { rotation_period_days: 90 },
    })
    expect(await json('keys', 'rotation-period', 'orders', 'never')).toMatchObject({
      key_metadata: { rotation_enabled: false },
    })
    expect(await json('keys', 'add-alias', 'shop', 'orders')).toMatchObject({ aliases: ['shop'] })
    expect(await json('keys', 'untag', 'shop', 'team,env')).toMatchObject({ key_metadata: { tags: {} } })
    expect((await kmsctl(['keys', 'list'])).out).toMatch(
      /^KEY +STATE +VERSION .*\nmain +Enabled +v1 .*\norders +Enabled +v2 .* shop +all orders\n$/,
    )
    expect(await json('keys', 'delete', 'orders', '--days', '7')).toMatchObject({ key_id: 'orders' })
    expect(await json('keys', 'cancel-deletion', 'orders')).toMatchObject({ key_metadata: { key_state: 'Enabled' } })
    expect(await json('config', 'change', '--set', 'cache_ttl_seconds=60', '--dry-run')).toMatchObject({
      diff: [{ path: 'cache_ttl_seconds', to: 60 }],
    })
    expect(await json('config', 'get')).toMatchObject({ timeout_seconds: 20, cache_ttl_seconds: 300 })
    expect(await json('call', 'describeKey', '--path', 'key_id=shop')).toMatchObject({
      key_metadata: { key_id: 'orders' },
    })
    expect(await json('call', 'encrypt', '--body', '{"plaintext":"AAAA"}')).toMatchObject({ key_id: 'main' })
  })

  it('material of your own', async () => {
    const { folder, json } = await createFixture()
    await json('config', 'change', '--set', 'backend_type=local', `key_dir=${join(folder, 'keys')}`)
    const { token, public_key } = await json('keys', 'import-parameters', '--name', 'mine')
    const material = createHash('sha256').update('material').digest()
    const der = Buffer.from(String(public_key), 'base64')
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    const wrapped = publicEncrypt({ key, oaepHash: 'sha256' }, material)
    const given = ['--name', 'mine', '--token', String(token), '--material', wrapped.toString('base64')]
    expect(await json('keys', 'import', ...given)).toMatchObject({ key_metadata: { origin: 'EXTERNAL' } })
  })

  it('users, their policies, and what they may not do', async () => {
    const { folder, kmsctl, json } = await createFixture()
    const secret = join(folder, 'secret')
    writeFileSync(secret, 'battery staple\n')
    await json('users', 'add', 'ann', '--secret-file', secret, '--policy', 'KMSAuditor')
    expect(await json('users', 'list')).toMatchObject({ ann: { status: 'enabled', policyName: 'KMSAuditor' } })
    const ann = { KMSCTL_ACCESS_KEY: 'ann', KMSCTL_SECRET_KEY: 'battery staple' }
    const denied = await kmsctl(['stop'], { env: ann })
    expect([denied.code, denied.out]).toEqual([3, ''])
    expect(denied.err).toContain('AccessDenied')
    await json('users', 'set-status', 'ann', 'disabled')
    expect((await kmsctl(['status'], { env: ann })).code).toBe(3)
    const document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}'
    expect((await kmsctl(['policies', 'add', 'readers', '-f', '-'], { stdin: document })).code).toBe(0)
    await json('users', 'set-policy', 'ann', 'readers')
    expect(await json('policies', 'get', 'readers')).toMatchObject({ policy_name: 'readers' })
    await json('users', 'remove', 'ann')
    await json('policies', 'remove', 'readers')
  })

  it.each([
    [['keys', 'describe', 'absent'], 6],
    [['users', 'get', 'absent'], 4],
    [['start'], 5],
    [['data', 'generate-key'], 6],
    [['nonsense'], 2],
    [['keys', 'rotation-period', 'k', 'soon'], 2],
    [['call', 'nonsense'], 2],
    [['apply', '-f', '/nowhere/kms.yaml'], 2],
    [['--help'], 0],
    [['--version'], 0],
  ])('%j ends with %i', async (args, code) => {
    const { kmsctl } = await createFixture()
    expect((await kmsctl(args)).code).toBe(code)
  })

  it('a server that is not there is 6, after trying again', async () => {
    const env = {
      HOME: temporaryFolder(),
      KMSCTL_ENDPOINT: 'http://127.0.0.1:1',
      KMSCTL_ACCESS_KEY: 'a',
      KMSCTL_SECRET_KEY: 'b',
    }
    const { code, err } = await run(['stop'], env)
    expect(code).toBe(6)
    expect(err).toContain('http://127.0.0.1:1 could not be reached (ECONNREFUSED)')
  })
})

describe('profiles', () => {
  it('keep their secrets to themselves, and are used', async () => {
    const { folder, url } = await createFixture()
    const env = { HOME: folder }
    const set = ['profile', 'set', 'local', '--url', url, '--access-key', 'admin', '--secret-file', '-']
    expect((await run(set, env, 'admin\n')).code).toBe(0)
    const path = join(folder, '.config/kmsctl/profiles.json')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((await run(['status'], env)).out).toContain('NotConfigured')
    await run(['profile', 'set', 'other', '--url', 'http://127.0.0.1:1'], env)
    const list = await run(['profile', 'list'], env)
    expect(list.out).toMatch(/^ +PROFILE +ENDPOINT +ACCESS KEY\n\* +local +http\S+ +admin\n +other +http\S+\n$/)
    expect((await run(['profile', 'use', 'other'], env)).code).toBe(0)
    expect((await run(['--profile', 'local', 'status'], env)).code).toBe(0)
    expect((await run(['--profile', 'nobody', 'status'], env)).code).toBe(2)
    await run(['profile', 'remove', 'other'], env)
    chmodSync(path, 0o644)
    const open = await run(['status'], env)
    expect(open.code).toBe(2)
    expect(open.err).toContain(`chmod 600 ${path}`)
  })
})

describe('apply', () => {
  const manifest = (folder: string, more = '') => `
config:
  backend_type: local
  key_dir: ${join(folder, 'keys')}
  master_key: { $env: MASTER_KEY }
  default_key_id: main
  cache_ttl_seconds: 600
keys:
  - name: orders
    description: all orders
    tags: { team: blue }
    aliases: [shop]
    rotation_period_days: 90
  - name: old
    enabled: false
policies:
  - name: readers
    document: { Version: "2012-10-17", Statement: [{ Effect: Allow, Action: "kms:Decrypt", Resource: "*" }] }
users:
  - access_key: deploy
    secret_key: { $env: DEPLOY_SECRET }
    policies: [readers]
${more}`

  it('makes a server what the file says, once: the second time there is nothing to do', async () => {
    const { folder, kmsctl, json } = await createFixture()
    const env = { MASTER_KEY: 'a canary passphrase', DEPLOY_SECRET: 'another canary secret' }
    const stdin = manifest(folder)
    const apply = (...args: string[]) => kmsctl(['apply', '-f', '-', ...args], { env, stdin })
    const rehearsed = await apply('--dry-run')
    expect(rehearsed.code).toBe(7)
    expect(rehearsed.out).toContain('+ configuration')
    expect(await json('status')).toMatchObject({ status: 'NotConfigured' })

    const first = await apply()
    expect([first.code, first.err]).toEqual([0, ''])
    for (const line of [
      '+ policy readers',
      '+ user deploy',
      '+ key orders',
      '~ key old: disable',
      '~ service: start',
    ]) {
      expect(first.out).toContain(line)
    }
    expect(first.out + rehearsed.out).not.toContain('canary')
    expect(await json('keys', 'describe', 'shop')).toMatchObject({
      key_metadata: { key_id: 'orders', description: 'all orders', tags: { team: 'blue' }, rotation_period_days: 90 },
    })
    const { revision } = await json('status')
    const second = await apply()
    expect([second.code, second.out]).toEqual([0, 'Nothing to do.\n'])
    expect(await json('status')).toMatchObject({ status: 'Running', revision })
    expect((await apply('--dry-run')).code).toBe(0)

    const changed = stdin
      .replace('cache_ttl_seconds: 600', 'cache_ttl_seconds: 60')
      .replace('enabled: false', 'enabled: true')
    const third = await kmsctl(['apply', '-f', '-'], { env, stdin: changed })
    expect(third.out).toBe('~ configuration\n    cache_ttl_seconds: 600 → 60\n~ key old: enable\n')
    const fourth = await kmsctl(['--json', 'apply', '-f', '-'], { env, stdin: `${changed}state: stopped\n` })
    expect(JSON.parse(fourth.out)).toEqual({ dry_run: false, steps: ['~ service: stop'] })
  })

  it('a change that does not prove changes nothing', async () => {
    const { folder, kmsctl, json } = await createFixture()
    const env = { MASTER_KEY: 'passphrase', DEPLOY_SECRET: 'battery staple' }
    await kmsctl(['apply', '-f', '-'], { env, stdin: manifest(folder) })
    const before = await json('config', 'get')
    const stdin = manifest(folder).replace('default_key_id: main', 'default_key_id: absent')
    expect((await kmsctl(['apply', '-f', '-'], { env, stdin })).code).not.toBe(0)
    expect(await json('config', 'get')).toEqual(before)
  })

  it.each([
    ['kesy: []', 'did you mean keys?'],
    ['keys: [{ name: a, tag: {} }]', 'keys[0].tag is not a known field; did you mean tags?'],
    ['keys: [{}]', 'keys[0].name is required'],
    ['state: paused', 'state has a value of the wrong kind'],
    ['keys: [', 'neither JSON nor YAML'],
    ['config: { a: { $env: NOT_THERE } }', 'NOT_THERE, which is not set'],
    ['users: [{ access_key: new }]', 'needs a secret_key'],
  ])('%s is refused', async (stdin, message) => {
    const { kmsctl, json } = await createFixture()
    const { code, err } = await kmsctl(['apply', '-f', '-'], { stdin })
    expect(code).toBe(2)
    expect(err).toContain(message)
    expect(await json('status')).toMatchObject({ status: 'NotConfigured' })
  })

  it('waits for the server, and no longer than it is told', async () => {
    const env = {
      HOME: temporaryFolder(),
      KMSCTL_ENDPOINT: 'http://127.0.0.1:1',
      KMSCTL_ACCESS_KEY: 'a',
      KMSCTL_SECRET_KEY: 'b',
    }
    const { code, err } = await run(['apply', '-f', '-', '--wait', '0'], env, 'keys: []')
    expect(code).toBe(6)
    expect(err).toContain('The server does not answer')
  })
})

describe('many keys', () => {
  it('are rotated, disabled and verified, those that match', async () => {
    const { folder, kmsctl, json } = await createFixture()
    await json('config', 'change', '--set', 'backend_type=local', `key_dir=${join(folder, 'keys')}`)
    for (let i = 0; i < 5; i++) await json('keys', 'create', '--name', `shop-${i}`)
    await json('keys', 'create', '--name', 'other')
    const rotated = (await json('bulk', 'rotate', '--match', 'shop-*'))['results'] as { outcome: string }[]
    expect(rotated.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
    await json('keys', 'disable', 'shop-3')
    const verified = (await json('bulk', 'verify'))['results'] as { key_id: string; outcome: string }[]
    expect(verified.map(({ key_id, outcome }) => `${key_id} ${outcome}`)).toEqual([
      'other ok',
      'shop-0 ok',
      'shop-1 ok',
      'shop-2 ok',
      'shop-3 skipped',
      'shop-4 ok',
    ])
    await json('stop')
    const stopped = await kmsctl(['bulk', 'verify'])
    expect(stopped.code).toBe(6)
  })

  it('one that fails does not stop the others, and shows in the exit code', async () => {
    const { folder, kmsctl, json } = await createFixture()
    const keys = join(folder, 'keys')
    await json('config', 'change', '--set', 'backend_type=local', `key_dir=${keys}`)
    for (const name of ['a', 'b', 'c']) await json('keys', 'create', '--name', name)
    const version = join(keys, 'keys', 'b.versions', '1.json')
    writeFileSync(version, readFileSync(version, 'utf8').replace('"', "'"))
    await json('start', '--force').catch(() => {})
    const { code, out, err } = await kmsctl(['--json', 'bulk', 'verify'])
    const { results } = JSON.parse(out) as { results: { key_id: string; outcome: string }[] }
    expect(results.filter(({ outcome }) => outcome === 'ok').map(({ key_id }) => key_id)).toEqual(['a', 'c'])
    expect(code).toBe(7)
    expect(err).toContain('1 of 3 keys failed')
  })
})

describe('audit verify', () => {
  it('says that all is well, or where it is not', async () => {
    const audit = join(temporaryFolder(), 'audit')
    const { folder, kmsctl, json } = await createFixture({ KMS_AUDIT_DIR: audit })
    await json('config', 'change', '--set', 'backend_type=local', `key_dir=${join(folder, 'keys')}`)
    const good = await kmsctl(['--json', 'audit', 'verify', audit])
    expect([good.code, JSON.parse(good.out)]).toMatchObject([0, { problems: [], records: 1 }])
    const [name = ''] = readdirSync(audit).filter((file) => file.endsWith('.jsonl'))
    const path = join(audit, name)
    writeFileSync(path, readFileSync(path, 'utf8').replace('"admin"', '"nobody"'))
    const { out } = await kmsctl(['audit', 'verify', audit, '--expect-head', '0'.repeat(64)])
    expect(out).toContain('the expected head is not there')
    const forged = await kmsctl(['audit', 'verify', audit, '--public-key', '0'.repeat(64)])
    expect(forged.code).toBe(7)
    expect(forged.out).toContain('none of those given')
    expect((await kmsctl(['audit', 'verify', audit, '--public-key', 'x'])).code).toBe(2)
  })
})

describe('doctor', () => {
  it('finds nothing wrong with what is well', async () => {
    const { folder, kmsctl, json } = await createFixture()
    await json(
      'config',
      'change',
      '--set',
      'backend_type=local',
      `key_dir=${join(folder, 'keys')}`,
      'default_key_id=main',
    )
    const { code, out } = await kmsctl(['doctor'])
    expect(code).toBe(0)
    for (const line of [
      /^good +server +It answers\.$/m,
      /^good +clock +This clock and the one of the server agree\.$/m,
      /^warning +credentials +These are the default ones/m,
      /^good +service +It runs\.$/m,
      /^good +default key +main wraps and unwraps\.$/m,
    ]) {
      expect(out).toMatch(line)
    }
  })

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
      'a wrong secret',
      { KMSCTL_SECRET_KEY: 'wrong' },
      /problem +credentials +SignatureDoesNotMatch: The secret key is not/,
    ],
    ['an unknown access key', { KMSCTL_ACCESS_KEY: 'nobody' }, /problem +credentials +InvalidAccessKeyId/],
    ['nobody there', { KMSCTL_ENDPOINT: 'http://127.0.0.1:1' }, /problem +server +.*could not be reached/],
    ['TLS spoken to a server without', { KMSCTL_ENDPOINT: 'https' }, /problem +server/],
  ])('explains %s', async (_, env, expected) => {
    const { kmsctl, url } = await createFixture()
    const { KMSCTL_ENDPOINT = url } = env
    const endpoint = KMSCTL_ENDPOINT === 'https' ? url.replace('http:', 'https:') : KMSCTL_ENDPOINT
    const { code, out } = await kmsctl(['doctor'], { env: { ...env, KMSCTL_ENDPOINT: endpoint } })
    expect(code).toBe(7)
    expect(out).toMatch(expected)
  })

  it('explains a service that is not configured', async () => {
    const { kmsctl } = await createFixture()
    const { code, out } = await kmsctl(['--json', 'doctor'])
    expect(code).toBe(7)
    expect(JSON.parse(out)).toMatchObject({
      findings: expect.arrayContaining([
        { check: 'service', outcome: 'problem', text: expect.stringContaining('kmsctl apply') },
      ]),
    })
  })
})
