import { createHash, createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ADMIN, createHarness, type Harness, HOST, root } from './harness.ts'

let harness: Harness
beforeAll(async () => {
  harness = await createHarness()
  await harness.run()
})
afterAll(() => harness.close())

interface Habit {
  /** In the order the client lists them. */
  readonly signedHeaders: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** Signs as other clients do: which headers, in which order, is theirs to choose (AWS "Create a signed API request"). */
async function send(target: string, { signedHeaders, headers, body }: Habit, sentBody = body): Promise<Response> {
  const stamp = `${new Date(harness.clock.now()).toISOString().replace(/[-:]/g, '').slice(0, 15)}Z`
  const all: Record<string, string> = { host: HOST, 'x-amz-date': stamp, ...headers }
  const scope = `${stamp.slice(0, 8)}/us-east-1/s3/aws4_request`
  const canonical = [
    'POST',
    ADMIN + target,
    '',
    ...signedHeaders.map((name) => `${name}:${all[name]}`),
    '',
    signedHeaders.join(';'),
    sha256(body),
  ].join('\n')
  const key = scope
    .split('/')
    .reduce<Buffer | string>((inner, part) => hmac(inner, part), `AWS4${root.secretAccessKey}`)
  const signature = hmac(key, ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n')).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${root.accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  const init = { method: 'POST', headers: { ...all, authorization }, body: sentBody }
  return harness.api.app.request(`http://${HOST}${ADMIN}${target}`, init)
}

const body = '{"key_id":"main-key"}'
const habits = {
  'awscurl: the hash is sent and not signed, XML is asked for': {
    signedHeaders: ['host', 'x-amz-date'],
    headers: {
      'x-amz-content-sha256': sha256(body),
      accept: 'application/xml',
      'content-type': 'application/x-amz-json-1.0',
    },
    body,
  },
  'curl: no hash, a form, an order of its own': {
    signedHeaders: ['content-type', 'x-amz-date', 'host'],
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  },
  'botocore: no hash': { signedHeaders: ['host', 'x-amz-date'], headers: {}, body },
}

it.each(Object.entries(habits))('%s', async (_, habit) => {
  const response = await send('/kms/generate-data-key', habit)
  expect(response.status, await response.clone().text()).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(await response.json()).toMatchObject({ success: true, key_id: 'main-key' })
})

it.each(Object.entries(habits))('%s, and the body was replaced on the way', async (_, habit) => {
  const response = await send('/kms/generate-data-key', habit, body.replace('main', 'evil'))
  const { code } = (await response.json()) as { code: string }
  const hashSent = 'x-amz-content-sha256' in habit.headers
  expect([response.status, code]).toEqual(
    hashSent ? [400, 'XAmzContentSHA256Mismatch'] : [403, 'SignatureDoesNotMatch'],
  )
})

it('a large body, which only a batch may have, has to announce its hash', async () => {
  const items = Array.from({ length: 1000 }, () => ({ operation: 'encrypt', plaintext: 'A'.repeat(2000) }))
  const large = JSON.stringify({ items })
  expect(large.length).toBeGreaterThan(1_048_576)
  const signedHeaders = ['host', 'x-amz-date']
  const silent = await send('/kms/batch', { signedHeaders, headers: {}, body: large })
  expect([silent.status, ((await silent.json()) as { code: string }).code]).toEqual([400, 'MissingContentSHA256'])
  const hash = { 'x-amz-content-sha256': sha256(large) }
  expect((await send('/kms/batch', { signedHeaders, headers: hash, body: large })).status).toBe(200)
  const elsewhere = await send('/kms/encrypt', { signedHeaders, headers: hash, body: large })
  expect([elsewhere.status, ((await elsewhere.json()) as { code: string }).code]).toEqual([413, 'EntityTooLarge'])
})
