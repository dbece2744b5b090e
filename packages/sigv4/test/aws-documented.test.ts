import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createVerifier, presignUrl, type RawRequest, signRequest } from '../src/index.ts'
import { parseTimestamp } from '../src/timestamp.ts'

interface Documented {
  readonly name: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  readonly service: string
  readonly timestamp: string
  readonly method: string
  readonly host: string
  readonly target: string
  readonly expiresSeconds?: number
  readonly headers: Readonly<Record<string, string>>
  readonly withoutPayloadHash?: boolean
  readonly body: string
  readonly signedHeaders: string
  readonly signature: string
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/aws-documented.json', import.meta.url), 'utf8'),
) as readonly Documented[]

/** The request as the example prints it. */
function received(vector: Documented): RawRequest {
  const { method, target, timestamp, signedHeaders, signature } = vector
  const credential = `${vector.accessKeyId}/${timestamp.slice(0, 8)}/${vector.region}/${vector.service}/aws4_request`
  const given = ['Host', vector.host, ...Object.entries(vector.headers).flat()]
  if (vector.expiresSeconds !== undefined) {
    const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(credential)}&X-Amz-Date=${timestamp}&X-Amz-Expires=${vector.expiresSeconds}&X-Amz-SignedHeaders=${signedHeaders}&X-Amz-Signature=${signature}`
    return { method, rawTarget: `${target}?${query}`, rawHeaders: given }
  }
  const rawHeaders = [
    ...given,
    'x-amz-date',
    timestamp,
    ...(vector.withoutPayloadHash ? [] : ['x-amz-content-sha256', hash('sha256', vector.body, 'hex')]),
    'Authorization',
    `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${signedHeaders},Signature=${signature}`,
  ]
  return { method, rawTarget: target, rawHeaders }
}

const now = (vector: Documented) => (): number => parseTimestamp(vector.timestamp) as number

test.each(vectors)('$name verifies', async (vector) => {
  const { accessKeyId, secretAccessKey, service, region } = vector
  const credentials = { secretAccessKey }
  const verifier = createVerifier({
    services: [service],
    region,
    now: now(vector),
    credentials: (id) => (id === accessKeyId ? credentials : undefined),
  })
  const claim = verifier.parse(received(vector))
  if (claim.kind === 'anonymous') throw new Error('not signed')
  expect(await verifier.verify(claim, hash('sha256', vector.body, 'hex'))).toBe(credentials)
})

test.each(vectors.filter(({ withoutPayloadHash }) => withoutPayloadHash !== true))(
  '$name is what the signer makes',
  (vector) => {
    const { method, region, service, headers } = vector
    const credentials = { accessKeyId: vector.accessKeyId, secretAccessKey: vector.secretAccessKey }
    const common = { method, region, service, headers, credentials, now: now(vector) }
    const url = `https://${vector.host}${vector.target}`
    if (vector.expiresSeconds === undefined) {
      expect(signRequest({ ...common, url, body: vector.body })['authorization']).toBe(
        received(vector).rawHeaders.at(-1)?.replaceAll(',', ', '),
      )
    } else {
      expect(presignUrl({ ...common, url, expiresSeconds: vector.expiresSeconds })).toBe(
        `https://${vector.host}${received(vector).rawTarget}`,
      )
    }
  },
)
