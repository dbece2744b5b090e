import { createHash, createHmac } from 'node:crypto'

/** The parts of a canonical request, written down as the documentation has them. */
export interface Canonical {
  readonly method: string
  readonly path: string
  readonly query: string
  /** `name:value` lines. */
  readonly headers: readonly string[]
  readonly payloadHash: string
}

/** A canonical request as text, and its `Authorization` header; made with `node:crypto` alone. */
export function signByHand(
  { method, path, query, headers, payloadHash }: Canonical,
  { accessKeyId, secretAccessKey }: { readonly accessKeyId: string; readonly secretAccessKey: string },
  { timestamp, region, service }: { readonly timestamp: string; readonly region: string; readonly service: string },
): { readonly canonicalRequest: string; readonly authorization: string } {
  const names = headers.map((line) => line.slice(0, line.indexOf(':'))).join(';')
  const canonicalRequest = [method, path, query, ...headers, '', names, payloadHash].join('\n')
  const day = timestamp.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const digest = createHash('sha256').update(canonicalRequest, 'latin1').digest('hex')
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${secretAccessKey}`,
  )
  const signature = createHmac('sha256', key)
    .update(`AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${digest}`)
    .digest('hex')
  return {
    canonicalRequest,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  }
}
