import { KmsClientError } from '../client-error.ts'
import type { StreamReply } from '../stream-transport.ts'
import { readElements } from './read-elements.ts'

/** More than any error is long. */
const MAX_BYTES = 64 * 1024

/** What HEAD says without a body. */
const BY_STATUS: ReadonlyMap<number, string> = new Map([
  [403, 'AccessDenied'],
  [404, 'NotFound'],
  [503, 'ServiceUnavailable'],
])

/** The error that a reply of S3 is. */
export async function readRefusal({ status, headers, body }: StreamReply): Promise<KmsClientError> {
  let xml = ''
  try {
    for await (const part of body.setEncoding('utf8')) {
      xml += String(part)
      if (xml.length > MAX_BYTES) break
    }
  } catch {
    // What did arrive has to do.
  }
  const found = new Map<string, string>()
  try {
    readElements(xml, (path, text) => found.set(path, text))
  } catch {
    // No XML: a proxy's answer, or that to HEAD.
  }
  const requestId = headers['x-amz-request-id']
  const retryAfter = Number(headers['retry-after'])
  return new KmsClientError(found.get('Error/Message') ?? `The server answered ${status}.`, {
    code: found.get('Error/Code') ?? BY_STATUS.get(status) ?? 'UnreadableReply',
    status,
    requestId: typeof requestId === 'string' ? requestId : undefined,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    notSent: false,
  })
}
