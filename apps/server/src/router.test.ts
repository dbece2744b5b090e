import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WireStatus } from '@kms/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRouter } from './router.ts'

const state: { status: WireStatus; healthy: boolean | undefined; draining: boolean } = {
  status: 'NotConfigured',
  healthy: undefined,
  draining: false,
}
const server = createServer(
  createRouter({
    manager: { status: () => ({ ...state }) as never },
    admin: (request, response) => response.end(`admin ${request.url}`),
    metrics: (request, response) => response.end(`metrics ${request.url}`),
    sts: (request, response) => response.end(`sts ${request.method} ${request.url}`),
    s3: (request, response) => response.end(`s3 ${request.method} ${request.url}`),
    namesBucket: (host) => host?.startsWith('bucket.') === true,
    isDraining: () => state.draining,
  }),
)
let origin: string
beforeAll(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => Object.assign(state, { status: 'NotConfigured', healthy: undefined, draining: false }))
afterAll(() => {
  server.close()
  server.closeAllConnections()
})

describe('/health', () => {
  it.each<[string, Partial<typeof state>, number, string | undefined]>([
    ['nothing configured', {}, 503, 'NotConfigured'],
    ['configured or stopped', { status: 'Configured' }, 503, 'Configured'],
    ['failed to start', { status: { Error: 'the directory /secret/place is gone' } }, 503, 'Error'],
    ['running', { status: 'Running', healthy: true }, 200, undefined],
    ['running, health not known', { status: 'Running' }, 200, undefined],
    ['running, backend unhealthy', { status: 'Running', healthy: false }, 503, 'Unhealthy'],
    ['draining', { status: 'Running', healthy: true, draining: true }, 503, 'draining'],
  ])('when %s: live 200, ready as the state says', async (_, changes, status, reason) => {
    Object.assign(state, changes)
    const live = await fetch(`${origin}/health/live`)
    expect([live.status, await live.json()]).toEqual([200, { status: 'live' }])
    const ready = await fetch(`${origin}/health/ready?verbose`)
    expect(ready.status).toBe(status)
    expect(ready.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    const text = await ready.text()
    expect(JSON.parse(text)).toMatchObject(reason === undefined ? { status: 'ready' } : { status: 'unready', reason })
    expect(text).not.toContain('/secret/place')
  })

  it.each(['/health', '/rustfs/health', '/minio/health'])('%s is where probes look too', async (prefix) => {
    Object.assign(state, { status: 'Running', healthy: true })
    for (const probe of ['live', 'ready']) {
      const reply = await fetch(`${origin}${prefix}/${probe}`)
      expect([reply.status, await reply.json()]).toEqual([200, { status: probe }])
    }
    state.draining = true
    expect((await fetch(`${origin}${prefix}/ready`)).status).toBe(503)
  })

  it('/rustfs/health is live', async () => {
    expect(await (await fetch(`${origin}/rustfs/health`)).json()).toEqual({ status: 'live' })
  })

  it('answers HEAD without a body, and nothing else but GET', async () => {
    const head = await fetch(`${origin}/health/ready`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([503, ''])
    const post = await fetch(`${origin}/health/live`, { method: 'POST', body: 'x' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect(await post.json()).toMatchObject({ success: false, code: 'MethodNotAllowed' })
  })
})

describe('spaces', () => {
  it.each([
    '/rustfs/admin/v3/kms/status?x=%2F',
    '/rustfs/',
    '/minio/admin/v3/kms/status',
    '/rustfs//x',
    '/rustfs/../health',
  ])('%s is the admin plane, as it was sent', async (path) => {
    const { request } = await import('node:http')
    const text = await new Promise<string>((resolve, reject) => {
      request(origin, { path }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          body += part
        })
        response.on('end', () => resolve(body))
      })
        .on('error', reject)
        .end()
    })
    expect(text).toBe(`admin ${path}`)
  })

  it.each(['/rustfs', '/minio', '/metrics/', '/health', '/health/', '/health/ready/'])('%s is 404', async (path) => {
    const reply = await fetch(`${origin}${path}`)
    expect(reply.status).toBe(404)
    const body = (await reply.json()) as Record<string, unknown>
    expect(body).toMatchObject({ success: false, code: 'NoSuchRoute' })
    expect(reply.headers.get('x-request-id')).toBe(body['request_id'])
    expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8')
  })

  it('/metrics has its own handler', async () => {
    expect(await (await fetch(`${origin}/metrics?x`)).text()).toBe('metrics /metrics?x')
  })

  it('POST / is STS, and nothing else is', async () => {
    expect(await (await fetch(`${origin}/?x`, { method: 'POST' })).text()).toBe('sts POST /?x')
    expect(await (await fetch(`${origin}/bucket`, { method: 'POST' })).text()).toBe('s3 POST /bucket')
    expect(await (await fetch(`${origin}/`, { method: 'PUT' })).text()).toBe('s3 PUT /')
  })

  it.each(['/', '/%72ustfs/admin/v3/kms/status', '/bucket/key', '/RUSTFS/', '/rustfs-like', '/healthy', '/?uploads'])(
    '%s is S3',
    async (path) => {
      expect(await (await fetch(`${origin}${path}`)).text()).toBe(`s3 GET ${path}`)
    },
  )

  it.each(['/', '/rustfs/admin/v3/kms/status', '/health/live', '/metrics'])(
    '%s of a host that names a bucket is S3',
    async (path) => {
      const { request } = await import('node:http')
      for (const method of ['GET', 'POST']) {
        const text = await new Promise<string>((resolve, reject) => {
          request(origin, { path, method, headers: { host: 'bucket.localhost' } }, (response) => {
            response.setEncoding('utf8').on('data', resolve)
          })
            .on('error', reject)
            .end()
        })
        expect(text).toBe(`s3 ${method} ${path}`)
      }
    },
  )

  it('does not quote a long path back', async () => {
    const reply = await fetch(`${origin}/health/${'x'.repeat(5000)}`)
    expect((await reply.text()).length).toBeLessThan(600)
  })
})
