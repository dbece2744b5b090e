import { type AuditRecord, type AuditSink, kmsError } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHarness, type Harness, root, sendSts, stateOf } from './harness.ts'

const unavailable = (consequence: string) => kmsError('AuditUnavailable', { reason: 'the disk is full', consequence })

let harness: Harness
let records: AuditRecord[]
const sink: { blocked: boolean; failing: boolean } & AuditSink = {
  blocked: false,
  failing: false,
  admit() {
    if (sink.blocked) throw unavailable('Nothing was done.')
  },
  async record(given) {
    if (sink.failing && given.length > 0) throw unavailable('What was asked for may have been done.')
    records.push(...given)
  },
}

beforeEach(async () => {
  records = []
  Object.assign(sink, { blocked: false, failing: false })
  harness = await createHarness({
    audit: sink,
    requestId: () => 'id',
    peer: () => ({ address: '10.0.0.9', secure: false }),
  })
  await harness.run()
})
afterEach(() => harness.close())

const user = () =>
  harness.user('ann', { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:DescribeKey'], Resource: '*' })

describe('one record for each decision', () => {
  it('about a key that is used, changed or denied', async () => {
    const ann = user()
    await harness.send('POST', '/kms/generate-data-key', { as: ann, body: {} })
    await harness.send('POST', '/kms/decrypt', { as: ann, body: { ciphertext_blob: 'AAAA' } })
    await harness.send('POST', '/kms/keys', { body: { name: 'orders' } })
    await harness.send('POST', '/kms/keys/rotate', { body: { key_id: 'absent' } })
    const shared = { plane: 'admin', address: '10.0.0.9', requestId: 'id' }
    const asAnn = { ...shared, principal: 'ann', accessKeyId: 'ann' }
    const asRoot = { ...shared, principal: 'root', accessKeyId: 'root' }
    expect(records).toEqual([
      {
        ...asAnn,
        operation: 'generateDataKey',
        action: 'kms:GenerateDataKey',
        decision: 'allow',
        outcome: 'ok',
        keyId: 'main-key',
      },
      { ...asAnn, operation: 'decrypt', action: 'kms:Decrypt', decision: 'deny', outcome: 'AccessDenied' },
      { ...asRoot, operation: 'createKey', action: 'kms:CreateKey', decision: 'allow', outcome: 'ok', keyId: 'orders' },
      {
        ...asRoot,
        operation: 'rotateKey',
        action: 'kms:RotateKey',
        decision: 'allow',
        outcome: 'KeyNotFound',
        keyId: 'absent',
      },
    ])
  })

  it('about the service, users and their policies', async () => {
    await harness.send('POST', '/kms/stop')
    await harness.send('PUT', '/add-user?accessKey=bob', {
      body: { secretKey: 'battery staple', status: 'enabled', policy: 'KMSAuditor' },
    })
    expect(records.map(({ action, decision, outcome }) => [action, decision, outcome])).toEqual([
      ['kms:ServiceControl', 'allow', 'ok'],
      ['admin:CreateUser', 'allow', 'ok'],
      ['admin:AttachUserOrGroupPolicy', 'allow', 'ok'],
    ])
  })

  it('in a batch, for each key and operation', async () => {
    await harness.send('POST', '/kms/keys', { body: { name: 'orders' } })
    records = []
    const items = [
      { operation: 'generate_data_key' },
      { operation: 'generate_data_key', key_id: 'orders' },
      { operation: 'generate_data_key', key_id: 'orders' },
      { operation: 'decrypt', ciphertext_blob: 'AAAA' },
    ]
    await harness.send('POST', '/kms/batch', { as: user(), body: { items } })
    expect(records.map(({ action, keyId, decision }) => `${action} ${keyId} ${decision}`).toSorted()).toEqual([
      'kms:Decrypt undefined deny',
      'kms:GenerateDataKey main-key allow',
      'kms:GenerateDataKey orders allow',
    ])
  })

  it('of temporary credentials', async () => {
    const allowed = { Action: 'AssumeRole', RoleArn: 'arn:x', RoleSessionName: 's' }
    await harness.directory.addUser({ accessKeyId: 'bob', secretAccessKey: 'battery staple', status: 'enabled' })
    await sendSts(harness, allowed, { as: { accessKeyId: 'bob', secretAccessKey: 'battery staple' } })
    expect(records).toMatchObject([
      { operation: 'AssumeRole', action: 'sts:AssumeRole', principal: 'bob', outcome: 'ok' },
    ])
  })

  it('and none of who only looks, or proves nothing about itself', async () => {
    for (const target of [
      '/kms/status',
      '/kms/config',
      '/kms/keys',
      '/kms/keys/main-key',
      '/list-users',
      '/openapi.json',
    ]) {
      expect((await harness.send('GET', target)).status, target).toBe(200)
    }
    await harness.send('POST', '/kms/stop', { as: undefined })
    await harness.send('POST', '/kms/stop', { as: { ...root, secretAccessKey: 'wrong' } })
    await harness.send('POST', '/kms/nothing')
    expect(records).toEqual([])
    await harness.send('GET', '/kms/config', { as: user() })
    expect(records).toMatchObject([{ operation: 'getConfig', action: 'kms:Configure', decision: 'deny' }])
  })
})

describe('while no record can be kept', () => {
  it('nothing is done for anybody, and looking is allowed', async () => {
    sink.blocked = true
    const before = stateOf(harness)
    for (const [target, body] of [
      ['/kms/generate-data-key', {}],
      ['/kms/stop', {}],
      ['/kms/keys', { name: 'orders' }],
      ['/kms/batch', { items: [] }],
    ] as const) {
      const { status, json } = await harness.send('POST', target, { body })
      expect([status, json['code']], target).toEqual([503, 'AuditUnavailable'])
      expect(json['message']).toContain('Nothing was done.')
    }
    expect(stateOf(harness)).toEqual(before)
    expect((await harness.send('GET', '/kms/status')).status).toBe(200)
    const sts = await sendSts(harness, { Action: 'GetCallerIdentity' })
    expect([sts.status, sts.text('Code')]).toEqual([503, 'AuditUnavailable'])
  })

  it('no answer goes out, and no plaintext with it', async () => {
    const made = await harness.send('POST', '/kms/generate-data-key', { body: {} })
    sink.failing = true
    for (const [target, body] of [
      ['/kms/generate-data-key', {}],
      ['/kms/decrypt', { ciphertext_blob: made.json['ciphertext_blob'] }],
      ['/kms/keys/rotate', { key_id: 'absent' }],
    ] as const) {
      const { status, json, text } = await harness.send('POST', target, { body })
      expect([status, json['code']], target).toEqual([503, 'AuditUnavailable'])
      expect(text).not.toContain(String(made.json['plaintext_key']))
    }
    const denied = await harness.send('POST', '/kms/stop', { as: user() })
    expect(denied.json['code']).toBe('AuditUnavailable')
    expect((await harness.send('GET', '/kms/status')).status).toBe(200)
  })
})
