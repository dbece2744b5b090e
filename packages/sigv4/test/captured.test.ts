import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkPayload, createVerifier, type RawRequest, type SignedRequest } from '../src/index.ts'
import { parseTimestamp } from '../src/timestamp.ts'

interface Captured extends RawRequest {
  readonly client: string
  readonly service: string
  readonly name: string
  /** Why the request must be refused; absent when it must verify. */
  readonly refused?: string
  readonly body: string
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/captured.json', import.meta.url), 'utf8')) as {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly requests: readonly Captured[]
}

/** The moment the client claims to have signed, so that the vectors never age. */
function signingTimeOf(request: RawRequest): number {
  const text = `${request.rawTarget} ${request.rawHeaders.join(' ')}`
  return parseTimestamp(/\d{8}T\d{6}Z/.exec(text)?.[0] ?? '') as number
}

async function verify(request: Captured, secretAccessKey: string): Promise<SignedRequest> {
  const verifier = createVerifier({
    services: ['s3', 'execute-api', 'kms', 'sts'],
    now: () => signingTimeOf(request),
    credentials: (accessKeyId) => (accessKeyId === vectors.accessKeyId ? { secretAccessKey } : undefined),
  })
  const claim = verifier.parse(request)
  if (claim.kind === 'anonymous') throw new Error('not signed')
  await verifier.verify(claim, hash('sha256', request.body, 'hex'))
  return claim
}

test.each(
  vectors.requests.map((request) => [`${request.client} ${request.service} ${request.name}`, request] as const),
)('%s', async (_, request) => {
  if (request.refused !== undefined) {
    await expect(verify(request, vectors.secretAccessKey)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' })
    return
  }
  const claim = await verify(request, vectors.secretAccessKey)
  expect(claim).toMatchObject({ accessKeyId: vectors.accessKeyId, service: request.service, region: 'us-east-1' })
  expect(claim.sessionToken).toBe(/token/.test(request.name) ? 'FwoGZX//token==' : undefined)
  checkPayload(claim, Buffer.from(request.body))
  await expect(verify(request, `${vectors.secretAccessKey}x`)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' })
})
