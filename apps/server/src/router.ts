import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type KmsManager, kmsError } from '@kms/core'
import { unreadiness, unreadinessMessages } from './health.ts'
import { replyJson, replyJsonError } from './json-reply.ts'

export interface RouterOptions {
  readonly manager: Pick<KmsManager, 'status'>
  /** Everything under `/rustfs/` and `/minio/`. */
  readonly admin: RequestListener
  /** `POST /`. */
  readonly sts: RequestListener
  /** `/metrics`. */
  readonly metrics: RequestListener
  /** Everything else, and every request whose host names a bucket. */
  readonly s3: RequestListener
  /** Whether a `Host` names a bucket: then the whole path is a key. */
  readonly namesBucket: (host: string | undefined) => boolean
  readonly isDraining: () => boolean
}

/** Contract §4, and where RustFS's and MinIO's probes look. */
const PROBES: ReadonlyMap<string, 'live' | 'ready'> = new Map([
  ['/health/live', 'live'],
  ['/health/ready', 'ready'],
  ['/rustfs/health', 'live'],
  ['/rustfs/health/live', 'live'],
  ['/rustfs/health/ready', 'ready'],
  ['/minio/health/live', 'live'],
  ['/minio/health/ready', 'ready'],
])

/** First segments that are no buckets, from the first release on. */
const RESERVED = /^\/(?:rustfs|minio|health|metrics)(?:\/|$)/

/**
 * Tells the three spaces of the listener apart by the host and the raw first segment (contract §0): nothing is decoded here,
 * so that no encoding makes one space look like another.
 */
export function createRouter(options: RouterOptions): RequestListener {
  const { manager, admin, sts, metrics, s3, namesBucket, isDraining } = options
  return (request, response) => {
    const target = request.url ?? '/'
    const mark = target.indexOf('?')
    const path = mark < 0 ? target : target.slice(0, mark)
    if (namesBucket(request.headers.host)) return s3(request, response)
    const probe = PROBES.get(path)
    if (probe === undefined) {
      if (path.startsWith('/rustfs/') || path.startsWith('/minio/')) return admin(request, response)
      if (path === '/' && request.method === 'POST') return sts(request, response)
      if (path === '/metrics') return metrics(request, response)
      if (!RESERVED.test(path)) return s3(request, response)
    }
    // A body nobody reads would otherwise be taken for the next request.
    request.resume()
    if (probe === 'live') return health(request, response, path, () => live(response))
    if (probe === 'ready') return health(request, response, path, () => ready(response, manager, isDraining()))
    const { status, code, message } = kmsError('NoSuchRoute', { path: path.slice(0, 200) })
    return replyJsonError(response, status, code, message)
  }
}

function health(request: IncomingMessage, response: ServerResponse, path: string, answer: () => void): void {
  const { method = '' } = request
  if (method === 'GET' || method === 'HEAD') return answer()
  response.setHeader('allow', 'GET, HEAD')
  const { status, code, message } = kmsError('MethodNotAllowed', { method, path, allow: 'GET, HEAD' })
  replyJsonError(response, status, code, message)
}

function live(response: ServerResponse): void {
  replyJson(response, 200, { status: 'live' })
}

function ready(response: ServerResponse, manager: Pick<KmsManager, 'status'>, draining: boolean): void {
  const reason = unreadiness(manager, draining)
  if (reason === undefined) replyJson(response, 200, { status: 'ready' })
  else replyJson(response, 503, { status: 'unready', reason, message: unreadinessMessages[reason] })
}
