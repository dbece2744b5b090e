import { createRequire } from 'node:module'
import nodeVault from 'node-vault'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseVaultAddress, type VaultAddress } from '../config/vault-address.ts'
import type { HttpReply, HttpRequest, HttpSender } from './http-sender.ts'
import { createNodeVaultTransport } from './node-vault-transport.ts'
import { transportFailure } from './transport-failure.ts'
import type { VaultCall } from './vault-transport.ts'

const address = parseVaultAddress('https://vault.example.com:8200') as VaultAddress
const READ: VaultCall = { request: 'key-read', method: 'GET', path: ['transit', 'keys', 'a'] }
const { signal } = new AbortController()

describe('createNodeVaultTransport', () => {
  let sent: HttpRequest[]
  let answers: (HttpReply | Error)[]
  beforeEach(() => {
    sent = []
    answers = []
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })

  function transport(namespace?: string, policy = {}, peer?: Record<string, string>) {
    const sender: HttpSender = {
      async send(request) {
        sent.push(request)
        const answer = answers.shift() ?? reply(200, '{}')
        if (answer instanceof Error) throw answer
        return answer
      },
      rotate() {},
      close() {},
    }
    const telemetry = peer && { headers: () => peer, attempted() {} }
    return createNodeVaultTransport({ address, namespace, policy, sender, peer: telemetry })
  }
  const reply = (status: number, text: string, headers: HttpReply['headers'] = {}): HttpReply => ({
    status,
    headers,
    text,
  })

  it('sends what it is given, to the path it is given', async () => {
    const one = transport()
    await one.send({ ...READ, method: 'POST', body: { plaintext: 'x' } }, { token: 's.t', signal })
    await one.send({ ...READ, method: 'LIST', path: ['secret', 'metadata', 'a/b'] }, { token: 's.t', signal })
    await one.send({ ...READ, query: { standbyok: 'true' } }, { signal })
    await one.send({ ...READ, method: 'DELETE', once: true }, { signal })
    expect(sent).toMatchObject([
      {
        method: 'POST',
        url: 'https://vault.example.com:8200/v1/transit/keys/a',
        body: '{"plaintext":"x"}',
        fresh: false,
        headers: { 'x-vault-token': 's.t', 'x-vault-request': 'true', 'content-type': 'application/json' },
      },
      { method: 'GET', url: 'https://vault.example.com:8200/v1/secret/metadata/a/b?list=true', body: undefined },
      { method: 'GET', url: 'https://vault.example.com:8200/v1/transit/keys/a?standbyok=true' },
      { method: 'DELETE', url: 'https://vault.example.com:8200/v1/transit/keys/a', fresh: true },
    ])
    expect(sent[2]?.headers).not.toHaveProperty('x-vault-token')
  })

  it('takes nothing from the environment', async () => {
    vi.stubEnv('VAULT_ADDR', 'https://elsewhere.example.com')
    vi.stubEnv('VAULT_TOKEN', 's.from-the-environment')
    vi.stubEnv('VAULT_NAMESPACE', 'elsewhere')
    vi.stubEnv('VAULT_PREFIX', '/prefix')
    vi.stubEnv('VAULT_SKIP_VERIFY', 'false')
    const one = transport()
    await one.send(READ, { signal })
    await one.send(READ, { token: 's.ours', signal })
    expect(sent.map(({ url }) => url)).toEqual([
      'https://vault.example.com:8200/v1/transit/keys/a',
      'https://vault.example.com:8200/v1/transit/keys/a',
    ])
    expect(sent[0]?.headers).not.toHaveProperty('x-vault-namespace')
    expect(sent[0]?.headers).not.toHaveProperty('X-Vault-Token')
    expect(sent[1]?.headers).toMatchObject({ 'x-vault-token': 's.ours' })
    expect(JSON.stringify(sent)).not.toMatch(/elsewhere|from-the-environment/)
  })

  it('prints nothing, whatever DEBUG says', async () => {
    const require = createRequire(import.meta.url)
    const debug = createRequire(require.resolve('node-vault'))('debug')
    const written: string[] = []
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0)
    debug.enable('node-vault')
    try {
      // Left to itself, it prints the body.
      const plain = nodeVault({ 'request-promise': { defaults: () => () => Promise.resolve({ statusCode: 204 }) } })
      await plain.write('a', { plaintext: 'shown' })
      expect(written.join('')).toContain('shown')
      written.length = 0
      await transport().send({ ...READ, method: 'POST', body: { plaintext: 'secret' } }, { token: 's.t', signal })
      expect(written).toEqual([])
    } finally {
      debug.disable()
    }
  })

  it('names the namespace where there is one, and never outside the calls that may have it', async () => {
    await transport('team/a').send(READ, { signal })
    await transport('team/a').send({ ...READ, path: ['sys/health'], rootNamespace: true }, { signal })
    await transport().send(READ, { signal })
    expect(sent.map(({ headers }) => headers['x-vault-namespace'])).toEqual(['team/a', undefined, undefined])
    expect(Object.keys(sent[2]?.headers ?? {}).some((name) => /namespace/i.test(name))).toBe(false)
  })

  it('does not carry a token from one call into the next', async () => {
    const one = transport()
    for (const token of ['s.one', 's.two', undefined]) await one.send(READ, { token, signal })
    expect(sent.map(({ headers }) => headers['x-vault-token'])).toEqual(['s.one', 's.two', undefined])
  })

  it('asks for what the last write made', async () => {
    const one = transport()
    answers = [
      reply(200, '{}', { 'x-vault-index': 'i1' }),
      reply(200, '{}'),
      reply(200, '{}', { 'x-vault-index': 'i2' }),
    ]
    for (let i = 0; i < 4; i++) await one.send(READ, { signal })
    expect(sent.map(({ headers }) => headers['x-vault-index'])).toEqual([undefined, 'i1', 'i1', 'i2'])
    expect(sent[1]?.headers['x-vault-inconsistent']).toBe('forward-active-node')
  })

  it('sends telemetry along, which can replace nothing', async () => {
    const peer = { traceparent: '00-x', accept: 'nothing', 'x-vault-token': 's.other' }
    await transport(undefined, {}, peer).send(READ, { token: 's.t', signal })
    expect(sent[0]?.headers).toMatchObject({ traceparent: '00-x', accept: 'application/json', 'x-vault-token': 's.t' })
  })

  it('reads answers of every status', async () => {
    const date = 'Tue, 24 Nov 2026 06:22:05 GMT'
    answers = [
      reply(200, '{"data":{"a":1}}', { date }),
      reply(404, '{"errors":[]}'),
      reply(400, '{"errors":["no",7]}'),
      reply(429, '', { 'retry-after': '3' }),
      reply(503, '<html>'),
      reply(204, ''),
      reply(202, '[1]'),
    ]
    const one = transport()
    const read = []
    for (let i = 0; i < 7; i++) read.push(await one.send(READ, { signal }))
    expect(read).toEqual([
      { status: 200, body: { data: { a: 1 } }, errors: [], date: Date.parse(date) },
      { status: 404, body: { errors: [] }, errors: [] },
      { status: 400, body: { errors: ['no', 7] }, errors: ['no'] },
      { status: 429, body: {}, errors: [], retryAfterMs: 3000 },
      { status: 503, body: {}, errors: [] },
      { status: 204, body: {}, errors: [] },
      { status: 202, body: {}, errors: [] },
    ])
  })

  it('follows a standby to the active node, with the request as it was', async () => {
    const policy = { allowHosts: ['vault.example.com', 'node2.example.com'] }
    const location = 'https://node2.example.com:8200/v1/transit/keys/a'
    answers = [reply(307, '', { location }), reply(200, '{"data":{}}')]
    const body = { type: 'aes256-gcm96' }
    const got = await transport(undefined, policy).send({ ...READ, method: 'POST', body }, { token: 's.t', signal })
    expect(got.status).toBe(200)
    expect(sent).toMatchObject([
      { url: 'https://vault.example.com:8200/v1/transit/keys/a', method: 'POST' },
      { url: location, method: 'POST', body: JSON.stringify(body), headers: { 'x-vault-token': 's.t' } },
    ])
  })

  it('sends a token nowhere it is not configured to go', async () => {
    answers = [reply(307, '', { location: 'https://evil.example.org/v1/transit/keys/a' })]
    await expect(transport().send(READ, { token: 's.t', signal })).rejects.toMatchObject({
      name: 'TransportFailure',
      reason: expect.stringContaining('https://evil.example.org, which is not configured'),
    })
    expect(sent.length).toBe(1)
  })

  it('gives up on nodes that send each other the blame', async () => {
    const location = 'https://vault.example.com:8300/v1/transit/keys/a'
    answers = Array.from({ length: 5 }, () => reply(307, '', { location }))
    await expect(transport().send(READ, { signal })).rejects.toMatchObject({ reason: 'its nodes redirect in a circle' })
    expect(sent.length).toBe(3)
  })

  it('turns what it did not expect into a failure that tells nothing', async () => {
    answers = [new Error('connect failed with token s.secret'), transportFailure('the reason', { reached: true })]
    const one = transport()
    const failure = await one.send(READ, { token: 's.secret', signal }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'TransportFailure', reason: 'the request could not be made' })
    expect(JSON.stringify(failure) + String((failure as Error).stack) + (failure as Error).cause).not.toContain(
      's.secret',
    )
    await expect(one.send(READ, { signal })).rejects.toMatchObject({ reason: 'the reason' })
  })
})
