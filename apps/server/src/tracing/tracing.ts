import type { IncomingMessage, RequestListener } from 'node:http'
import type { BackendCall, KmsManager } from '@kms/core'
import type { ObjectStore } from '@kms/s3-api'
import type { ObjectCipher } from '@kms/sse'
import {
  type Attributes,
  context,
  isSpanContextValid,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { version } from '../version.ts'

/**
 * Spans of OpenTelemetry, for whoever starts the server with an SDK (`node --import ./otel.mjs`). Without one there is no
 * tracing and nothing on the path of a request.
 */
export interface Tracing {
  /** A span for every request, under the one its `traceparent` names. */
  requests(listener: RequestListener): RequestListener
  /** What became known of the request under way. */
  describeRequest(operation: string | undefined, attributes: Attributes): void
  /** A span for every operation of the data path and on keys. */
  manager(manager: KmsManager): KmsManager
  /** A span for every object whose key is made, got back or wrapped anew; encrypting its body is not one of them. */
  cipher(cipher: ObjectCipher): ObjectCipher
  /** A span for every operation of the store of objects; of a write until all of the body is stored, of a read until it is open. */
  store(store: ObjectStore): ObjectStore
  /** A span for an operation on a backend. */
  backend<T>(call: BackendCall, work: () => Promise<T>): Promise<T>
  /** What carries the trace to a peer: `traceparent` and its like. */
  headers(): Record<string, string>
}

/** Those that may wait for a KMS. */
const CIPHER_VERBS = ['beginWrite', 'beginUpload', 'sealPart', 'completeUpload', 'openForRead', 'rewrap'] as const

/** The tracing of this process; `undefined` when no SDK was registered before. */
export function findTracing(): Tracing | undefined {
  const tracer = trace.getTracer('kms', version)
  // An SDK gives every span an identity, those it does not record included.
  const probe = tracer.startSpan('probe', { root: true })
  if (!isSpanContextValid(probe.spanContext())) return undefined

  function inSpan<T>(name: string, kind: SpanKind, attributes: Attributes, work: () => Promise<T>): Promise<T> {
    return tracer.startActiveSpan(name, { kind, attributes }, (span) => {
      const result = work()
      result.then(
        () => span.end(),
        (error: unknown) => endFailed(span, error),
      )
      return result
    })
  }

  function traced<T extends object>(prefix: string, service: T, names: readonly string[] = Object.keys(service)): T {
    return Object.fromEntries(
      Object.entries(service).map(([name, member]) => {
        if (typeof member !== 'function' || !names.includes(name)) return [name, member]
        const call = (...args: unknown[]) =>
          inSpan(`${prefix}.${name}`, SpanKind.INTERNAL, {}, () => member.apply(service, args) as Promise<unknown>)
        return [name, call]
      }),
    ) as T
  }

  return {
    requests: (listener) => (request, response) => {
      const parent = propagation.extract(context.active(), carrierOf(request))
      const { method = 'GET' } = request
      // Without the path, which may name an object.
      const attributes = { 'http.request.method': method }
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent)
      response.once('close', () => {
        span.setAttribute('http.response.status_code', response.statusCode)
        if (response.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      })
      context.with(trace.setSpan(parent, span), () => listener(request, response))
    },

    describeRequest(operation, attributes) {
      const span = trace.getActiveSpan()
      if (operation !== undefined) span?.updateName(operation)
      span?.setAttributes(attributes)
    },

    // Lifecycle calls are few, and their events say what they did.
    manager: (manager) =>
      Object.create(manager, {
        keys: { value: traced('keys', manager.keys), enumerable: true },
        data: { value: traced('data', manager.data), enumerable: true },
      }) as KmsManager,

    cipher: (cipher) => traced('cipher', cipher, CIPHER_VERBS),
    store: (store) => traced('store', store),

    backend: ({ backend, operation }, work) =>
      inSpan(`${backend}.${operation}`, SpanKind.CLIENT, { 'kms.backend': backend, 'kms.operation': operation }, work),

    headers() {
      const carrier: Record<string, string> = {}
      propagation.inject(context.active(), carrier)
      return carrier
    },
  }
}

/** The first value of a header that was sent twice: a trace has one parent. */
function carrierOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const first = Array.isArray(value) ? value[0] : value
      return first === undefined ? [] : [[name, first]]
    }),
  )
}

/** The code says what failed; messages may quote a caller. */
function endFailed(span: Span, error: unknown): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'InternalError'
  span.setAttribute('error.type', code)
  span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}
