import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createVerifier, type RawRequest, type SignedRequest, signRequest } from '@kms/sigv4'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findPythonTools, type PythonTools, requireTools } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'

// Requests nobody thought of, signed by clients in other languages and verified as they arrive over the wire.

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const TOKEN = 'FwoGZX//token=='
const SEED = 20_261_123
const script = fileURLToPath(new URL('./signers.py', import.meta.url))

interface ToSign {
  readonly method: string
  readonly service: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly sessionToken?: string
  readonly presign: boolean
}

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

const value = fc
  .string({ unit: fc.constantFrom(...Array.from('aZ09 ,;="/')), minLength: 1, maxLength: 12 })
  .map((text) => text.trim())
  .filter((text) => text !== '')

/** Requests whose targets hold these characters, in names of parameters those, written as `spell` has them. */
function arbitrary(characters: string, names: string, spell: (text: string) => string): fc.Arbitrary<ToSign> {
  const wordOf = (set: string): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...Array.from(set)), minLength: 1, maxLength: 8 })
  const word = wordOf(characters)
  // The clients disagree on who removes dot segments.
  const segment = word.filter((text) => !/^\.+$/.test(text))
  return fc
    .record({
      method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
      service: fc.constantFrom('s3', 'execute-api', 'kms', 'sts'),
      segments: fc.array(segment, { maxLength: 4 }),
      query: fc.uniqueArray(fc.tuple(wordOf(names), fc.oneof(fc.constant(''), word)), {
        selector: ([name]) => name,
        maxLength: 4,
      }),
      headers: fc.dictionary(fc.constantFrom('x-amz-meta-a', 'x-amz-target', 'x-custom'), value),
      body: fc.oneof(fc.constant(''), fc.string({ unit: 'grapheme-composite', maxLength: 40 })),
      sessionToken: fc.option(fc.constant(TOKEN), { nil: undefined }),
      presign: fc.boolean(),
    })
    .map(({ segments, query, sessionToken, body, ...request }) => {
      const path = `/${segments.map(spell).join('/')}`
      const search = query.map(([name, text]) => `${spell(name)}=${spell(text)}`).join('&')
      return {
        ...request,
        target: search === '' ? path : `${path}?${search}`,
        // botocore makes parameters of the body of what it presigns.
        body: request.presign ? '' : body,
        ...(sessionToken === undefined ? {} : { sessionToken }),
      }
    })
}

const ANY = `az09-._~ !'()*;:@&=+$,?#[]%"é€`
const encoded = arbitrary(ANY, ANY, encode)
/** What awscurl takes as it is and encodes itself; names that sort alike before and after that, as it sorts before. */
const plain = arbitrary(`az09-._~!'()*;:@$,`, 'abyz09', (text) => text)

const sample = (
  requests: fc.Arbitrary<ToSign>,
  numRuns: number,
  holds: (request: ToSign) => boolean = () => true,
): readonly ToSign[] => fc.sample(requests.filter(holds), { numRuns, seed: SEED })

interface Seen {
  readonly request: RawRequest
  readonly claim: SignedRequest | undefined
  /** `ok`, or the code it was refused with. */
  readonly outcome: string
}

const verifier = createVerifier({
  services: ['s3', 'execute-api', 'kms', 'sts'],
  credentials: (accessKeyId, token) =>
    accessKeyId === CREDENTIALS.accessKeyId && token !== '' ? CREDENTIALS : undefined,
})
let seen: Seen[] = []

async function look(incoming: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  const { method = '', url = '', rawHeaders } = incoming
  const request = { method, rawTarget: url, rawHeaders }
  let claim: SignedRequest | undefined
  try {
    const parsed = verifier.parse(request)
    if (parsed.kind === 'anonymous') return { request, claim, outcome: 'anonymous' }
    claim = parsed
    await verifier.verify(claim, hash('sha256', Buffer.concat(chunks), 'hex'))
    return { request, claim, outcome: 'ok' }
  } catch (error) {
    return { request, claim, outcome: (error as { code?: string }).code ?? String(error) }
  }
}

const server = createServer((incoming, response) => {
  look(incoming).then(
    (found) => {
      seen.push(found)
      response.end('{}')
    },
    () => response.destroy(),
  )
})
let endpoint: string
let awscurl: PythonTools
let python: PythonTools
beforeAll(async () => {
  awscurl = findAwscurl()
  python = findPythonTools('aws-clients-1.46.3', ['awscli==1.46.3', 'boto3==1.44.5'])
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}, 300_000)
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** Has a Python signer sign and send the requests; returns what arrived. */
async function sendAll(bin: string, signer: string, requests: readonly ToSign[]): Promise<readonly Seen[]> {
  seen = []
  const child = promisify(execFile)(join(bin, 'python'), [script, endpoint, signer])
  child.child.stdin?.end(JSON.stringify(requests.map((request) => ({ ...CREDENTIALS, ...request }))))
  await child
  return seen
}

/** What was refused, by what was asked for. */
function refused(requests: readonly ToSign[], arrived: readonly Seen[]): readonly unknown[] {
  expect(arrived).toHaveLength(requests.length)
  return arrived.flatMap(({ outcome }, index) => (outcome === 'ok' ? [] : [[outcome, requests[index]]]))
}

function headersOf({ rawHeaders }: RawRequest): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (let i = 0; i < rawHeaders.length; i += 2)
    headers.set((rawHeaders[i] as string).toLowerCase(), rawHeaders[i + 1] as string)
  return headers
}

it('botocore: verified, and signed alike', async ({ skip }) => {
  const requests = sample(encoded, 150)
  const arrived = await sendAll(requireTools(python, skip), 'botocore', requests)
  expect(refused(requests, arrived)).toEqual([])
  let compared = 0
  for (const [index, { request, claim }] of arrived.entries()) {
    const { service, body, sessionToken, presign } = requests[index] as ToSign
    const headers = headersOf(request)
    // Our signer always sends the hash of the body; botocore does for S3.
    if (presign || service !== 's3' || claim === undefined) continue
    const { timestamp } = claim
    const iso = timestamp.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5')
    const own = ['host', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token']
    const given = claim.signedHeaders.filter((name) => !own.includes(name))
    const signed = signRequest({
      method: request.method,
      target: request.rawTarget,
      host: headers.get('host') as string,
      headers: given.map((name) => [name, headers.get(name) as string] as const),
      body,
      service,
      region: 'us-east-1',
      credentials: { ...CREDENTIALS, sessionToken },
      now: () => Date.parse(iso),
    })
    expect(signed['authorization']?.slice(-64)).toBe(claim.signature)
    compared++
  }
  expect(compared).toBeGreaterThan(10)
}, 60_000)

it('awscurl: verified', async ({ skip }) => {
  const requests = sample(plain, 60, ({ presign }) => !presign)
  const arrived = await sendAll(requireTools(awscurl, skip), 'awscurl', requests)
  expect(refused(requests, arrived)).toEqual([])
}, 60_000)

it('curl --aws-sigv4: verified', async () => {
  // It signs the path as it is sent; elsewhere than in S3 `/a%2520b` would then also be what signing `/a%20b` yields.
  const own = ({ presign, service, target }: ToSign): boolean =>
    !presign && (service === 's3' || !(target.split('?')[0] as string).includes('%25'))
  const requests = sample(encoded, 60, own)
  seen = []
  for (const { method, service, target, headers, body, sessionToken } of requests) {
    const { accessKeyId, secretAccessKey } = CREDENTIALS
    const all = { ...headers, ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }) }
    await promisify(execFile)('curl', [
      '-sS',
      '--globoff',
      '--path-as-is',
      '-X',
      method,
      '--aws-sigv4',
      `aws:amz:us-east-1:${service}`,
      '--user',
      `${accessKeyId}:${secretAccessKey}`,
      ...Object.entries(all).flatMap(([name, text]) => ['-H', `${name}: ${text}`]),
      ...(body === '' ? [] : ['--data-binary', body]),
      endpoint + target,
    ])
  }
  expect(refused(requests, seen)).toEqual([])
}, 60_000)
