import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createFixture, type Fixture } from './fixture.ts'

/** A server that runs, with a bucket and a key beside the default one. */
async function begin(): Promise<Fixture> {
  const fixture = await createFixture()
  const { json, folder } = fixture
  const keyDir = `key_dir=${join(folder, 'keys')}`
  await json('config', 'change', '--set', 'backend_type=local', keyDir, 'default_key_id=main')
  await json('keys', 'create', '--name', 'orders')
  await json('objects', 'make-bucket', 'letters')
  return fixture
}

describe('objects', () => {
  it('go up and come back as they were, encrypted as asked', async () => {
    const { kmsctl, json, folder } = await begin()
    const big = join(folder, 'big.bin')
    const bytes = randomBytes(5 * 1024 * 1024 + 7)
    writeFileSync(big, bytes)
    const context = ['--context', 'team=blue', 'env=prod']
    expect(await json('objects', 'put', big, 'letters/', '--sse-kms-key-id', 'orders', ...context)).toMatchObject({
      bucket: 'letters',
      key: 'big.bin',
      size: bytes.length,
      sse: 'aws:kms',
      kms_key_id: 'orders',
      bucket_key: false,
    })
    const small = join(folder, 'small.txt')
    writeFileSync(small, 'Dear reader')
    const plain = await json('objects', 'put', small, 's3://letters/a/b c+d', '--content-type', 'text/plain')
    expect(plain).toMatchObject({ key: 'a/b c+d', sse: null, kms_key_id: null })
    const shared = await json('objects', 'put', small, 'letters/a/', '--sse', 'aws:kms', '--bucket-key')
    expect(shared).toMatchObject({ key: 'a/small.txt', kms_key_id: 'main', bucket_key: true })
    expect(await json('objects', 'put', small, 'letters/s3', '--sse', 'AES256')).toMatchObject({ sse: 'AES256' })

    const copy = join(folder, 'copy.bin')
    await json('objects', 'get', 'letters/big.bin', copy)
    expect(readFileSync(copy).equals(bytes)).toBe(true)
    expect(await json('objects', 'head', 'letters/a/b c+d')).toMatchObject({ size: 11, content_type: 'text/plain' })
    expect((await kmsctl(['objects', 'list'])).out).toBe('BUCKET\nletters\n')
    const listed = await kmsctl(['objects', 'list', 'letters/a/'])
    expect(listed.out).toMatch(/^KEY +SIZE +LAST MODIFIED\na\/b c\+d +11 +20\S+Z\na\/small\.txt +11 +20\S+Z\n$/)
    expect((await json('objects', 'verify', 'letters'))['results']).toEqual([
      { key: 'a/b c+d', size: 11, outcome: 'ok' },
      { key: 'a/small.txt', size: 11, outcome: 'ok' },
      { key: 'big.bin', size: bytes.length, outcome: 'ok' },
      { key: 's3', size: 11, outcome: 'ok' },
    ])
    for (let twice = 0; twice < 2; twice++) await json('objects', 'remove', 'letters/big.bin')
    expect((await json('objects', 'list', 'letters/big'))['objects']).toEqual([])
  })

  it('one that is damaged is found, is downloaded by nobody, and stops none of the others', async () => {
    const { kmsctl, json, folder } = await begin()
    const file = join(folder, 'file')
    writeFileSync(file, randomBytes(300_000))
    for (const key of ['a', 'b']) await json('objects', 'put', file, `letters/${key}`, '--sse', 'aws:kms')
    const [body = ''] = readdirSync(join(folder, 'data', 'objects'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => /^[0-9a-f]{32}$/.test(basename(path)))
    truncateSync(body, 200_000)
    const { code, out, err } = await kmsctl(['--json', 'objects', 'verify', 'letters'])
    const { results } = JSON.parse(out) as { results: { key: string; outcome: string }[] }
    expect(results.filter(({ outcome }) => outcome === 'ok')).toHaveLength(1)
    expect([code, err]).toEqual([7, 'kmsctl: 1 of 2 objects failed.\n'])
    const damaged = results.find(({ outcome }) => outcome !== 'ok')?.key
    const got = await kmsctl(['objects', 'get', `letters/${damaged}`, join(folder, 'got')])
    expect(got.code).not.toBe(0)
    expect(readdirSync(folder).filter((name) => name.startsWith('got'))).toEqual([])
  })

  it.each<[string, string[], number, RegExp]>([
    ['no such object', ['get', 'letters/none', 'FOLDER/none'], 4, /^kmsctl: NoSuchKey: .*\(request [0-9a-f-]{36}\)\n$/],
    ['no such object, by HEAD', ['head', 'letters/none'], 4, /NotFound/],
    ['no such bucket', ['list', 'nowhere'], 4, /NoSuchBucket/],
    ['a bucket that is there', ['make-bucket', 'letters'], 5, /BucketAlreadyOwnedByYou/],
    ['no such key', ['put', 'FOLDER/file', 'letters/x', '--sse-kms-key-id', 'nokey'], 1, /KMS\.NotFoundException/],
    ['no such file', ['put', 'FOLDER/none', 'letters/x'], 2, /none cannot be read \(ENOENT\)/],
    ['a folder', ['put', 'FOLDER', 'letters/x'], 2, /is no file/],
    ['no name', ['head', 'letters'], 2, /expected bucket\/key/],
    ['an unknown mode', ['put', 'FOLDER/file', 'letters/x', '--sse', 'rot13'], 2, /Allowed choices/],
    ['too many at a time', ['verify', 'letters', '--concurrency', 'x'], 2, /whole number/],
  ])('%s ends with its code', async (_, args, code, message) => {
    const { kmsctl, folder } = await begin()
    writeFileSync(join(folder, 'file'), 'x')
    const ended = await kmsctl(['objects', ...args.map((arg) => arg.replace('FOLDER', folder))])
    expect([ended.code, ended.err]).toEqual([code, expect.stringMatching(message)])
  })

  it('while the service is stopped, or nobody is allowed: told, and nothing written', async () => {
    const { kmsctl, json, folder } = await begin()
    const file = join(folder, 'file')
    writeFileSync(file, 'x')
    await json('objects', 'put', file, 'letters/x', '--sse', 'aws:kms')
    const wrong = await kmsctl(['objects', 'head', 'letters/x'], { env: { KMSCTL_SECRET_KEY: 'wrong' } })
    expect(wrong.code).toBe(3)
    const nobody = await kmsctl(['objects', 'list'], { env: { KMSCTL_ACCESS_KEY: '', KMSCTL_SECRET_KEY: '' } })
    expect(nobody.code).not.toBe(0)
    await json('stop')
    const put = await kmsctl(['objects', 'put', file, 'letters/y', '--sse', 'aws:kms'])
    expect([put.code, put.err]).toEqual([6, expect.stringContaining('ServiceUnavailable')])
    const verified = await kmsctl(['objects', 'verify', 'letters'])
    expect([verified.code, verified.out]).toEqual([7, expect.stringContaining('ServiceUnavailable')])
    await json('start')
    expect((await kmsctl(['objects', 'verify', 'letters'])).code).toBe(0)
  })
})
