import { Buffer } from 'node:buffer'
import { hash, timingSafeEqual } from 'node:crypto'
import type { RequestListener } from 'node:http'
import type { Page, ReceivedRequest } from '@kms/admin-api'
import { kmsError, type Secret } from '@kms/core'
import { replyJsonError } from '../json-reply.ts'
import type { Metrics } from './metrics.ts'

type Exposition = Pick<Metrics, 'text' | 'contentType'>

/** `GET /metrics`, for signed callers who may read it and for bearers of `token` (contract §4). */
export function metricsPage(metrics: Exposition, token: Secret | undefined): Page {
  const expected = token === undefined ? undefined : digest(token.reveal())
  return {
    operation: 'getMetrics',
    permission: ['admin:Prometheus', 'admin:ServerInfo'],
    admits(request) {
      const authorization = authorizationOf(request)
      if (!/^Bearer\b/i.test(authorization)) return false
      const given = digest(authorization.replace(/^Bearer */i, ''))
      if (expected !== undefined && timingSafeEqual(given, expected)) return true
      throw kmsError('AccessDenied', { reason: 'The bearer token is not the one of KMS_METRICS_TOKEN.' })
    },
    read: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
  }
}

/** `GET /metrics` without credentials, for a listener of its own; everything else is not found. */
export function createOpenMetrics(metrics: Exposition): RequestListener {
  return (request, response) => {
    request.resume()
    const path = (request.url ?? '/').split('?', 1)[0] as string
    if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      const { status, code, message } = kmsError('NoSuchRoute', { path: path.slice(0, 200) })
      replyJsonError(response, status, code, message)
      return
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' }).end(text),
      () => {
        const { status, code, message } = kmsError('InternalError')
        replyJsonError(response, status, code, message)
      },
    )
  }
}

function authorizationOf({ rawHeaders }: ReceivedRequest): string {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === 'authorization') return rawHeaders[i + 1] as string
  }
  return ''
}

/** Of equal length, whatever was given. */
function digest(text: string): Buffer {
  return Buffer.from(hash('sha256', text, 'hex'), 'hex')
}
