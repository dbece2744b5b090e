import { type PostPolicyCondition, signPostPolicy } from '@kms/sigv4'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { exchange, type Got, type Harness, pattern, startHarness } from './harness.ts'

let s3: Harness
beforeAll(async () => {
  s3 = await startHarness()
  await s3.ok({ method: 'PUT', path: '/forms' })
})
afterAll(() => s3.stop())

const BOUNDARY = 'a-boundary'

function form(fields: Readonly<Record<string, string>>, file: Uint8Array | undefined, fileName = 'x.bin'): Buffer {
  const parts: Uint8Array[] = []
  for (const [name, value] of Object.entries(fields)) {
    parts.push(Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`))
  }
  if (file !== undefined) {
    const disposition = `Content-Disposition: form-data; name="file"; filename="${fileName}"`
    parts.push(
      Buffer.from(`--${BOUNDARY}\r\n${disposition}\r\nContent-Type: application/octet-stream\r\n\r\n`),
      file,
      Buffer.from('\r\n'),
    )
  }
  return Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)])
}

function signedFields(
  key: string,
  fields: Record<string, string> = {},
  conditions: readonly PostPolicyCondition[] = [],
): Record<string, string> {
  return signPostPolicy({
    bucket: 'forms',
    key,
    fields,
    conditions,
    expiresSeconds: 60,
    region: 'us-east-1',
    credentials: { accessKeyId: 'root', secretAccessKey: 'correct horse battery' },
  })
}

function post(body: Buffer, path = '/forms'): Promise<Got> {
  return exchange(s3.port, {
    method: 'POST',
    path,
    body,
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  })
}

it('a form uploads its file, encrypted as it asks', async () => {
  const file = pattern(300_000)
  const more = {
    'x-amz-server-side-encryption': 'aws:kms',
    'Content-Type': 'image/png',
    'x-amz-meta-m': 'é',
    acl: 'private',
  }
  const got = await post(form(signedFields('up/${filename}', more), file, 'C:\\dir\\x.png'))
  expect([got.status, got.text]).toEqual([204, ''])
  expect(got.headers).toMatchObject({ location: `${s3.url}/forms/up/x.png`, 'x-amz-server-side-encryption': 'aws:kms' })
  const read = await s3.ok({ path: '/forms/up/x.png' })
  expect(read.bytes.equals(file)).toBe(true)
  expect(read.headers).toMatchObject({ 'content-type': 'image/png', 'x-amz-server-side-encryption': 'aws:kms' })
})

it('replies as the form asks', async () => {
  const file = Buffer.from('x')
  const made = await post(form(signedFields('a', { success_action_status: '201' }), file))
  expect([made.status, made.xml('Bucket'), made.xml('Key'), made.xml('ETag')]).toEqual([
    201,
    'forms',
    'a',
    made.headers['etag'],
  ])
  expect((await post(form(signedFields('a', { success_action_status: '200' }), file))).status).toBe(200)
  const to = await post(form(signedFields('a b', { success_action_redirect: 'https://example.org/done?x=1' }), file))
  expect(to.status).toBe(303)
  expect(to.headers['location']).toMatch(
    /^https:\/\/example\.org\/done\?x=1&bucket=forms&key=a\+b&etag=%22[0-9a-f]{32}%22$/,
  )
  expect((await post(form(signedFields('a', { success_action_redirect: 'javascript:alert(1)' }), file))).status).toBe(
    204,
  )
})

it('is refused when something is wrong with it, and leaves nothing', async () => {
  const file = pattern(100)
  const range = [['content-length-range', 10, 50]] as const
  const tagging = '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>'
  for (const [name, body, status, code] of [
    ['too large', form(signedFields('bad', {}, range), file), 400, 'EntityTooLarge'],
    ['too small', form(signedFields('bad', {}, range), Buffer.from('x')), 400, 'EntityTooSmall'],
    ['no key', form({ ...signedFields('bad'), key: '' }, file), 400, 'InvalidArgument'],
    ['no file', form(signedFields('bad'), undefined), 400, 'InvalidArgument'],
    ['an uncovered field', form({ ...signedFields('bad'), 'x-amz-meta-x': '1' }, file), 403, 'AccessDenied'],
    ['another signature', form({ ...signedFields('bad'), 'x-amz-signature': '0'.repeat(64) }, file), 403, undefined],
    ['no signature', form({ key: 'bad' }, file), 403, 'AccessDenied'],
    ['an ACL', form(signedFields('bad', { acl: 'public-read' }), file), 400, 'AccessControlListNotSupported'],
    [
      'many fields',
      form(signedFields('bad', { 'x-ignore-a': 'x'.repeat(21_000) }), file),
      400,
      'MaxMessageLengthExceeded',
    ],
    ['no form', Buffer.from('hello'), 400, undefined],
    ['a form that ends early', form(signedFields('bad'), file).subarray(0, -60), 400, undefined],
  ] as const) {
    const got = await post(body)
    expect(got.status, `${name}: ${got.text}`).toBe(status)
    if (code !== undefined) expect(got.xml('Code'), name).toBe(code)
    expect(await s3.store.object({ bucket: 'forms', key: 'bad' }), name).toBeUndefined()
  }
  expect((await post(form(signedFields('tagged', { tagging }), file))).status).toBe(204)
  expect((await s3.ok({ path: '/forms/tagged' })).headers['x-amz-tagging-count']).toBe('1')
  const nowhere = await post(form(signedFields('bad'), file), '/nowhere')
  expect(nowhere.status).toBe(403)
})
