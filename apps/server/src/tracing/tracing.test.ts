import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type KmsManager, kmsError } from '@kms/core'
import type { ObjectStore } from '@kms/s3-api'
import type { ObjectCipher } from '@kms/sse'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { findTracing, type Tracing } from './tracing.ts'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })

// Before anything registers an SDK.
const without = findTracing()
provider.register()
const tracing = findTracing() as Tracing

beforeEach(() => exporter.reset())
afterAll(async () => {
  await provider.shutdown()
  for (const api of [trace, context, propagation]) api.disable()
})

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

/** Serves one request, with these headers, by `work`; resolves to the status. */
async function serve(work: () => Promise<void>, headers: Record<string, string> = {}): Promise<number> {
  const listener = tracing.requests((_, response) => {
    work().then(
      () => response.end('done'),
      () => response.writeHead(503).end('failed'),
    )
  })
  const server = createServer(listener)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  try {
    return await new Promise<number>((resolve, reject) => {
      get(
        { port, host: '127.0.0.1', path: '/rustfs/admin/v3/kms/decrypt?secret=x', headers, agent: false },
        (reply) => {
          reply.resume().once('close', () => resolve(reply.statusCode ?? 0))
        },
      ).on('error', reject)
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

const spans = () => exporter.getFinishedSpans()
const named = (name: string) => spans().find((span) => span.name === name) ?? expect.fail(`no span ${name}`)

it('is absent without an SDK, and there with one', () => {
  expect(without).toBeUndefined()
  expect(tracing).toBeDefined()
})

it('spans of a request, of core and of the backend hang together, below the caller', async () => {
  let sent: Record<string, string> = {}
  const manager = tracing.manager({
    data: {
      decrypt: () =>
        tracing.backend({ backend: 'vault', realm: 'r', operation: 'unwrap' }, async () => {
          sent = tracing.headers()
        }),
    },
    keys: {},
  } as unknown as KmsManager)
  const status = await serve(
    async () => {
      await manager.data.decrypt({} as never)
      tracing.describeRequest('decrypt', { 'kms.key_id': 'main' })
    },
    { traceparent: `00-${TRACE}-${PARENT}-01`, 'x-other': 'y' },
  )
  expect(status).toBe(200)
  expect(spans()).toHaveLength(3)
  const [request, core, backend] = [named('decrypt'), named('data.decrypt'), named('vault.unwrap')]
  expect([request, core, backend].map((span) => span.spanContext().traceId)).toEqual([TRACE, TRACE, TRACE])
  expect(request.parentSpanContext?.spanId).toBe(PARENT)
  expect(core.parentSpanContext?.spanId).toBe(request.spanContext().spanId)
  expect(backend.parentSpanContext?.spanId).toBe(core.spanContext().spanId)
  expect([request.kind, core.kind, backend.kind]).toEqual([SpanKind.SERVER, SpanKind.INTERNAL, SpanKind.CLIENT])
  expect(request.attributes).toEqual({
    'http.request.method': 'GET',
    'http.response.status_code': 200,
    'kms.key_id': 'main',
  })
  expect(sent).toEqual({ traceparent: `00-${TRACE}-${backend.spanContext().spanId}-01` })
})

it('failures show their code and none of their words', async () => {
  const error = kmsError('BackendUnavailable', { store: 'secret-place', reason: 'it is down' })
  const status = await serve(() =>
    tracing.backend({ backend: 'vault', operation: 'open' }, () => Promise.reject(error)),
  )
  expect(status).toBe(503)
  expect(named('vault.open').attributes['error.type']).toBe('BackendUnavailable')
  expect(named('vault.open').status).toEqual({ code: SpanStatusCode.ERROR })
  expect(named('GET').status.code).toBe(SpanStatusCode.ERROR)
  expect(
    JSON.stringify(spans().map(({ attributes, events, status: ended }) => [attributes, events, ended])),
  ).not.toContain('secret-place')
})

it('spans of an object are those of its key, of the store, and of the KMS below', async () => {
  const inner = async (): Promise<undefined> => undefined
  const manager = tracing.manager({ data: { decrypt: inner }, keys: {} } as unknown as KmsManager)
  const cipher = tracing.cipher({
    openForRead: async () => void (await manager.data.decrypt({} as never)),
    inspect: () => 'at once',
  } as unknown as ObjectCipher)
  const store = tracing.store({ openObject: inner } as unknown as ObjectStore)
  await serve(async () => {
    await store.openObject({ bucket: 'b', key: 'secret-name' })
    expect(cipher.inspect({ bucket: 'b', key: 'secret-name' }, Buffer.alloc(0))).toBe('at once')
    await cipher.openForRead({} as never)
    tracing.describeRequest('GetObject', { 'kms.object_mode': 'SSE-KMS' })
  })
  const [request, open, read, kms] = ['GetObject', 'store.openObject', 'cipher.openForRead', 'data.decrypt'].map(named)
  expect(spans()).toHaveLength(4)
  for (const span of [open, read]) expect(span?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
  expect(kms?.parentSpanContext?.spanId).toBe(read?.spanContext().spanId)
  expect(JSON.stringify(spans().map(({ attributes, name }) => [name, attributes]))).not.toContain('secret-name')
})

it('outside a request nothing is made up, and members that are no calls stay', async () => {
  tracing.describeRequest('x', {})
  expect(tracing.headers()).toEqual({})
  const manager = tracing.manager({ status: () => 'same', data: { limit: 3 }, keys: {} } as unknown as KmsManager)
  expect([manager.status(), manager.data]).toEqual(['same', { limit: 3 }])
})
