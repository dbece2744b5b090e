import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createVerifier, isSigV4Error, presignUrl, type RawRequest, signPostPolicy, signRequest } from '../src/index.ts'
import { credentials, HOST, NOW, received } from './arbitrary-request.ts'
import { announce, decodeUpload, encodeByHand, inPieces } from './chunked-upload.ts'
import { slackOf } from './framing-slack.ts'
import { sameMeaning } from './same-meaning.ts'

// The property tests change random bytes of random requests; these change every byte of a few.

const verifier = createVerifier({
  services: ['s3', 'kms'],
  now: () => NOW,
  credentials: (accessKeyId) => (accessKeyId === credentials.accessKeyId ? credentials : undefined),
})
const signer = { ...credentials, sessionToken: 'FwoGZX//tok+en==' }
const common = { region: 'us-east-1', credentials: signer, now: () => NOW }
const TARGET = '/bucket/a%20b/caf%C3%A9?prefix=x%2By&acl&max-keys=10'
const headers = { 'content-type': 'application/json', 'x-amz-meta-note': 'a, "b"', 'x-empty': '' }
const body = '{"key_id":"app"}'

type Change = (text: string, at: number) => string

/** Ways to change one byte at a place: another bit, another case, another kind of character, one less, one more. */
const changes: Readonly<Record<string, Change>> = {
  bit: (text, at) => replaced(text, at, String.fromCharCode(text.charCodeAt(at) ^ 1)),
  case: (text, at) => replaced(text, at, String.fromCharCode(text.charCodeAt(at) ^ 0x20)),
  slash: (text, at) => replaced(text, at, '/'),
  zero: (text, at) => replaced(text, at, '0'),
  less: (text, at) => replaced(text, at, ''),
  more: (text, at) => `${text.slice(0, at)}x${text.slice(at)}`,
}

function replaced(text: string, at: number, by: string): string {
  return text.slice(0, at) + by + text.slice(at + 1)
}

/** Every text that differs from this one by one byte in one of these ways. */
function* variantsOf(text: string): Generator<string> {
  for (const change of Object.values(changes)) {
    for (let at = 0; at < text.length; at++) {
      const changed = change(text, at)
      if (changed !== text) yield changed
    }
  }
}

interface Sent {
  readonly request: RawRequest
  readonly body: string
}

async function accepts({ request, body: sent }: Sent): Promise<boolean> {
  try {
    const claim = verifier.parse(request)
    if (claim.kind === 'anonymous') return false
    await verifier.verify(claim, hash('sha256', sent, 'hex'))
    return true
  } catch (error) {
    if (isSigV4Error(error)) return false
    throw error
  }
}

/** Every request that differs from this one in one byte, and means something else. */
function* mutantsOf({ request, body: sent }: Sent): Generator<readonly [what: string, mutant: Sent]> {
  for (const method of variantsOf(request.method))
    yield [`method ${method}`, { request: { ...request, method }, body: sent }]
  for (const rawTarget of variantsOf(request.rawTarget)) {
    if (!sameMeaning(request.rawTarget, rawTarget))
      yield [rawTarget, { request: { ...request, rawTarget }, body: sent }]
  }
  for (const [index, text] of request.rawHeaders.entries()) {
    for (const changed of variantsOf(text)) {
      const isName = index % 2 === 0
      // Names count in any case; blanks around a value, how many stand in a row and those after the commas of Authorization
      // do not count.
      if (isName ? changed.toLowerCase() === text.toLowerCase() : folded(changed) === folded(text)) continue
      const rawHeaders = request.rawHeaders.with(index, changed)
      yield [
        `${request.rawHeaders[index - (isName ? 0 : 1)]}: ${changed}`,
        { request: { ...request, rawHeaders }, body: sent },
      ]
    }
  }
  for (const changed of variantsOf(sent)) yield [`body ${changed}`, { request, body: changed }]
}

function folded(value: string): string {
  const single = value.trim().replace(/[ \t]+/g, ' ')
  return single.startsWith('AWS4-HMAC-SHA256 ') ? single.replaceAll(', ', ',') : single
}

const byHeader = (service: string, options: { readonly payloadHash?: string } = {}): Sent => {
  const payload = options.payloadHash === undefined ? { body } : options
  const signed = signRequest({ ...common, method: 'PUT', target: TARGET, host: HOST, headers, service, ...payload })
  return { request: received('PUT', TARGET, signed), body }
}

const byQuery = (service: string): Sent => {
  const url = `http://${HOST}${TARGET}`
  const payloadHash = hash('sha256', body, 'hex')
  const presigned = new URL(
    presignUrl({ ...common, method: 'PUT', url, service, headers, expiresSeconds: 600, payloadHash }),
  )
  return { request: received('PUT', presigned.pathname + presigned.search, { host: HOST, ...headers }), body }
}

test.each<[string, Sent]>([
  ['a header, s3', byHeader('s3')],
  ['a header, kms', byHeader('kms')],
  ['a query, s3', byQuery('s3')],
  ['a query, kms', byQuery('kms')],
])('signed in %s: no byte can be another one', async (_, sent) => {
  expect(await accepts(sent)).toBe(true)
  const accepted: string[] = []
  let tried = 0
  for (const [what, mutant] of mutantsOf(sent)) {
    tried++
    if (await accepts(mutant)) accepted.push(what)
  }
  expect(accepted).toEqual([])
  expect(tried).toBeGreaterThan(2000)
})

test('a POST form: no byte of a field, its name or its value, can be another one', async () => {
  const fields = Object.entries(
    signPostPolicy({
      ...common,
      bucket: 'bucket',
      key: 'photos/a b.jpg',
      fields: { acl: 'private', 'x-amz-meta-note': 'grün' },
      expiresSeconds: 60,
    }),
  )
  const verify = (changed: readonly (readonly [string, string])[]): Promise<boolean> =>
    verifier.verifyPostPolicy(new Map(changed), { bucket: 'bucket' }).then(
      ({ kind }) => kind === 'signed',
      (error: unknown) => {
        if (isSigV4Error(error)) return false
        throw error
      },
    )
  expect(await verify(fields)).toBe(true)
  const accepted: unknown[] = []
  for (const [index, [name, value]] of fields.entries()) {
    for (const changed of variantsOf(name)) {
      if (changed.toLowerCase() !== name && (await verify(fields.with(index, [changed, value])))) accepted.push(changed)
    }
    for (const changed of variantsOf(value)) {
      if (await verify(fields.with(index, [name, changed]))) accepted.push([name, changed])
    }
  }
  expect(accepted).toEqual([])
})

test.each([
  ['signed', { signed: true }],
  ['signed, with a trailer', { signed: true, checksum: 'CRC32C' }],
  ['unsigned, with a trailer', { signed: false, checksum: 'SHA256' }],
] as const)('a chunked body, %s: no byte can be another one', async (_, form) => {
  const chunks = [{ data: 'first\r\n' }, { data: '0;=' }, { data: 'last' }]
  const lengths = chunks.map(({ data }) => data.length)
  const request = announce(
    form,
    lengths.reduce((sum, length) => sum + length, 0),
  )
  const wire = encodeByHand(form, request.signature, chunks)
  const { caseless } = slackOf(Buffer.from(wire, 'latin1'), lengths)
  const decode = (sent: string): Promise<boolean> =>
    decodeUpload(request, inPieces(Buffer.from(sent, 'latin1'), [7]), { minChunkBytes: 0 }).then(
      () => true,
      (error: unknown) => {
        if (isSigV4Error(error)) return false
        throw error
      },
    )
  expect(await decode(wire)).toBe(true)
  const accepted: string[] = []
  for (const [name, change] of Object.entries(changes)) {
    for (let at = 0; at < wire.length; at++) {
      const sent = change(wire, at)
      const inCaseless = caseless.some(([start, end]) => at >= start && at < end)
      if (inCaseless ? sent.toLowerCase() === wire.toLowerCase() : sent === wire) continue
      if (await decode(sent)) accepted.push(`${name} at ${at}: ${sent.slice(at - 10, at + 10)}`)
    }
  }
  expect(accepted).toEqual([])
})
