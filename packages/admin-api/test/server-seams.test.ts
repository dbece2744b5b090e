import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { kmsError } from '@kms/core'
import { signRequest } from '@kms/sigv4'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ReceivedRequest } from '../src/index.ts'
import { createHarness, type Harness, HOST, root, type User } from './harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
})
afterEach(() => harness.close())

describe('guard', () => {
  it('sees who proved who they are, and can refuse them', async () => {
    const seen: [string, string, boolean][] = []
    const guarded = await createHarness({
      guard(request: ReceivedRequest, principal, peer) {
        seen.push([request.rawTarget, principal.name, peer.secure])
        if (principal.kind === 'root') throw kmsError('AccessDenied', { reason: 'Not with these credentials.' })
      },
    })
    const user = guarded.user('someone', { Effect: 'Allow', Action: 'kms:*', Resource: '*' })
    const refused = await guarded.send('POST', '/kms/start?x=1', { body: 'not even JSON' })
    expect([refused.status, refused.json['message']]).toEqual([403, 'Not with these credentials.'])
    expect((await guarded.send('GET', '/kms/status', { as: user })).status).toBe(200)
    await guarded.send('GET', '/kms/status', { as: undefined })
    await guarded.send('GET', '/kms/status', { as: { ...root, secretAccessKey: 'wrong' } })
    expect(seen).toEqual([
      ['/rustfs/admin/v3/kms/start?x=1', 'root', false],
      ['/rustfs/admin/v3/kms/status', 'someone', false],
    ])
    await guarded.close()
  })
})

describe('the app', () => {
  it('answers wherever it is mounted', async () => {
    const server = new Hono()
    server.route('/rustfs/admin/v3', harness.api.app)
    server.route('/minio/admin/v3', harness.api.app)
    server.notFound((c) => c.text('somebody else', 404))
    for (const path of ['/rustfs/admin/v3/kms/status', '/minio/admin/v3/kms/status']) {
      const url = `http://${HOST}${path}`
      const credentials = root
      const headers = signRequest({
        method: 'GET',
        url,
        credentials,
        region: 'x',
        service: 's3',
        now: harness.clock.now,
      })
      const response = await server.request(url, { headers })
      expect([response.status, await response.json()]).toMatchObject([200, { status: 'NotConfigured' }])
    }
    const unknown = await server.request(`http://${HOST}/rustfs/admin/v3/nothing`)
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: 'NoSuchRoute' }])
    expect(await (await server.request(`http://${HOST}/bucket`)).text()).toBe('somebody else')
  })
})

describe('a page of the server', () => {
  async function ask(as: User | undefined, method = 'GET', headers: Readonly<Record<string, string>> = {}) {
    const server = createServer(
      harness.api.pageListener({
        operation: 'getPage',
        permission: ['admin:Prometheus', 'admin:ServerInfo'],
        admits: ({ rawHeaders }) => rawHeaders.includes('let-me-in'),
        read: async () => ({ contentType: 'text/plain', text: 'the page' }),
      }),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/page`
    const signed = { method, url, region: 'x', service: 's3', now: harness.clock.now }
    try {
      const sent = as === undefined ? headers : signRequest({ ...signed, credentials: as })
      const reply = await fetch(url, { method, headers: sent })
      return { status: reply.status, type: reply.headers.get('content-type'), text: await reply.text() }
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  it('is for whoever may read it, and for those it lets in', async () => {
    const scraper = harness.user('scraper', { Effect: 'Allow', Action: 'admin:Prometheus', Resource: '*' })
    for (const reply of [await ask(root), await ask(scraper), await ask(undefined, 'GET', { 'x-a': 'let-me-in' })]) {
      expect(reply).toEqual({ status: 200, type: 'text/plain', text: 'the page' })
    }
    for (const as of [harness.user('nobody'), undefined]) {
      const { status, text } = await ask(as)
      expect([status, JSON.parse(text)]).toMatchObject([403, { success: false, code: 'AccessDenied' }])
    }
    const wrong = await ask({ ...root, secretAccessKey: 'wrong' })
    expect(JSON.parse(wrong.text)).toMatchObject({ code: 'SignatureDoesNotMatch' })
    const posted = await ask(root, 'POST')
    expect([posted.status, JSON.parse(posted.text)]).toMatchObject([405, { code: 'MethodNotAllowed' }])
    expect(harness.log.filter(({ event }) => event === 'request')).toMatchObject([
      { operation: 'getPage', principal: 'root', status: 200 },
      { operation: 'getPage', principal: 'scraper', status: 200 },
      { operation: 'getPage', principal: undefined, status: 200 },
      { operation: 'getPage', principal: 'nobody', status: 403 },
      { operation: 'getPage', principal: undefined, status: 403 },
      { operation: 'getPage', principal: undefined, status: 403 },
      { operation: 'getPage', principal: undefined, status: 405 },
    ])
  })
})

describe('other routes of the server', () => {
  async function metrics(as: User | undefined, body?: string): Promise<Response> {
    const server = new Hono()
    server.all('/metrics', async (c) => {
      try {
        const request = await harness.api.authenticate(c)
        harness.api.authorize(request, ['admin:Prometheus', 'admin:ServerInfo'])
        return c.text(`for ${request.principal.name}: ${request.body.toString()}`)
      } catch (error) {
        return harness.api.refuse(c, error)
      }
    })
    const url = `http://${HOST}/metrics`
    const method = body === undefined ? 'GET' : 'POST'
    const sent = body === undefined ? {} : { body }
    const headers =
      as === undefined
        ? {}
        : signRequest({ method, url, credentials: as, region: 'x', service: 's3', now: harness.clock.now, ...sent })
    return server.request(url, { method, headers, ...sent })
  }

  it('can authenticate, authorise and refuse as these do', async () => {
    const scraper = harness.user('scraper', { Effect: 'Allow', Action: 'admin:Prometheus', Resource: '*' })
    const operator = harness.user('operator', { Effect: 'Allow', Action: 'admin:ServerInfo', Resource: '*' })
    const nobody = harness.user('nobody')
    expect(await (await metrics(root, 'ping')).text()).toBe('for root: ping')
    expect(await (await metrics(scraper)).text()).toBe('for scraper: ')
    expect((await metrics(operator)).status).toBe(200)
    for (const as of [nobody, undefined]) {
      const response = await metrics(as)
      expect([response.status, await response.json()]).toMatchObject([403, { success: false, code: 'AccessDenied' }])
      expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('can ask for rights on a resource', async () => {
    const user = harness.user('user', { Effect: 'Allow', Action: 'kms:Decrypt', Resource: 'arn:aws:kms:::key/a' })
    const headers = signRequest({
      method: 'GET',
      url: `http://${HOST}/`,
      credentials: user,
      region: 'x',
      service: 's3',
      now: harness.clock.now,
    })
    const server = new Hono()
    const outcomes: unknown[] = []
    server.get('/', async (c) => {
      const request = await harness.api.authenticate(c)
      for (const key of ['a', 'b']) {
        try {
          harness.api.authorize(request, ['kms:Decrypt'], `arn:aws:kms:::key/${key}`)
          outcomes.push(key)
        } catch (error) {
          outcomes.push((error as { code: string }).code)
        }
      }
      return c.text('done')
    })
    await server.request(`http://${HOST}/`, { headers })
    expect(outcomes).toEqual(['a', 'AccessDenied'])
  })
})
