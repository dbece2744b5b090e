import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { ArchiveEntry, KeyRecord } from '@kms/core'
import { signRequest } from '@kms/sigv4'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  ADMIN,
  type Answer,
  createHarness,
  type Harness,
  root,
  type SendOptions,
  stateOf,
  type User,
} from './harness.ts'

const PASSPHRASE = 'correct horse battery ü'
const HEADER = 'x-kms-archive-passphrase'
const inHeader = (passphrase: string): Record<string, string> => ({
  [HEADER]: Buffer.from(passphrase).toString('base64'),
})

const KEY: KeyRecord = {
  keyId: 'key',
  aliases: [],
  description: '',
  tags: new Map(),
  state: 'Enabled',
  createdAt: 0,
  currentVersion: 1,
  oldestVersion: 1,
  materialId: '0'.repeat(32),
  origin: 'KMS',
  etag: '0'.repeat(16),
}

let harness: Harness
beforeEach(async () => {
  harness = await createHarness()
  await harness.run()
})
afterEach(() => harness.close())

async function backup(body: object = {}): Promise<Buffer> {
  const { status, bytes, text } = await harness.send('POST', '/kms/backup', { body })
  expect(status, text).toBe(200)
  return bytes
}

const restore = (body: Buffer, query = '', options: SendOptions = {}): Promise<Answer> =>
  harness.send('POST', `/kms/restore${query}`, { body, ...options })

const codeOf = ({ status, json }: Answer): unknown => [status, json['code'], json['status']]

/** What the store has lost is noticed, and back after a restore. */
async function lose(keyId: string): Promise<void> {
  harness.driver.stores.get('main')?.keys.delete(keyId)
  await harness.send('POST', '/kms/clear-cache')
}

describe('POST /kms/backup', () => {
  it('answers with bytes under a name, sealed', async () => {
    const { status, headers, bytes } = await harness.send('POST', '/kms/backup', { body: { passphrase: PASSPHRASE } })
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('application/octet-stream')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('content-disposition')).toMatch(
      /^attachment; filename="kms-[0-9a-f]{8}-20261123T120000Z\.kmsa"$/,
    )
    expect(bytes.subarray(0, 4).toString()).toBe('KMSA')
    expect(bytes.includes('main-key')).toBe(false)
  })

  it.each<[string, unknown]>([
    ['a short passphrase', { passphrase: 'eleven char' }],
    ['one that is no text', { passphrase: 12 }],
    ['an unknown field', { pass_phrase: PASSPHRASE }],
    ['a query', undefined],
  ])('refuses %s', async (what, body) => {
    const query = what === 'a query' ? `?passphrase=${encodeURIComponent(PASSPHRASE)}` : ''
    const reply = await harness.send('POST', `/kms/backup${query}`, { body })
    expect(codeOf(reply)).toEqual([400, 'ValidationError', 'Running'])
    expect(reply.text).not.toContain('eleven char')
  })

  it('needs a passphrase where the server has no key for archives', async () => {
    const other = await createHarness({ archiveKey: undefined as never })
    await other.run()
    try {
      const reply = await other.send('POST', '/kms/backup')
      expect([reply.status, reply.json['message']]).toEqual([400, expect.stringContaining('backup key')])
      const blind = await other.send('POST', '/kms/restore', { body: Buffer.from('KMSA') })
      expect([blind.status, blind.json['message']]).toEqual([400, expect.stringContaining(HEADER)])
    } finally {
      await other.close()
    }
  })

  it('answers 503 when the service does not run, and 501 for a backend that cannot', async () => {
    Object.assign(harness.driver.opened.at(-1)?.backend ?? {}, { backup: undefined })
    expect(codeOf(await harness.send('POST', '/kms/backup'))).toEqual([501, 'UnsupportedCapability', 'Running'])
    await harness.send('POST', '/kms/stop')
    expect(codeOf(await harness.send('POST', '/kms/backup'))).toEqual([503, 'NotRunning', 'Configured'])
  })
})

describe('POST /kms/restore', () => {
  it('brings back what was lost, and what it wrapped opens', async () => {
    const wrapped = await harness.send('POST', '/kms/encrypt', { body: { plaintext: 'c2VjcmV0' } })
    const { ciphertext_blob } = wrapped.json
    const archive = await backup()
    await lose('main-key')
    expect((await harness.send('POST', '/kms/decrypt', { body: { ciphertext_blob } })).status).not.toBe(200)
    const before = stateOf(harness)
    const rehearsed = await restore(archive, '?dry_run=true')
    expect([rehearsed.status, rehearsed.json], rehearsed.text).toMatchObject([200, { dry_run: true, restored: 1 }])
    expect(stateOf(harness)).toEqual(before)
    const done = await restore(archive)
    expect([done.status, done.json], done.text).toMatchObject([
      200,
      { success: true, status: 'Running', dry_run: false, restored: 1, versions: 1, conflicts: [], lost: [] },
    ])
    const opened = await harness.send('POST', '/kms/decrypt', { body: { ciphertext_blob } })
    expect(opened.json).toMatchObject({ plaintext: 'c2VjcmV0' })
    expect((await restore(archive)).json).toMatchObject({ restored: 0, unchanged: 1 })
  })

  it('takes archives of the key the server has, and only without a passphrase', async () => {
    const archive = await backup()
    expect((await restore(archive)).status).toBe(200)
    const withPassphrase = { headers: inHeader(PASSPHRASE) }
    expect(codeOf(await restore(archive, '', withPassphrase))).toEqual([400, 'ArchiveKeyMismatch', 'Running'])
    const other = await backup({ passphrase: PASSPHRASE })
    expect(codeOf(await restore(other))).toEqual([400, 'ArchiveKeyMismatch', 'Running'])
    expect((await restore(other, '', withPassphrase)).status).toBe(200)
    const wrong = { headers: inHeader('correct horse battery u') }
    expect(codeOf(await restore(other, '', wrong))).toEqual([400, 'ArchiveKeyMismatch', 'Running'])
  })

  it('tells where archive and store disagree, and does as it is told then', async () => {
    const archive = await backup()
    await harness.send('POST', '/kms/keys/update-description', { body: { key_id: 'main-key', description: 'new' } })
    const before = stateOf(harness)
    expect(codeOf(await restore(archive))).toEqual([409, 'RestoreConflict', 'Running'])
    const rehearsed = await restore(archive, '?dry_run=true')
    expect(rehearsed.json).toMatchObject({ conflict_count: 1, conflicts: [{ key_id: 'main-key' }] })
    expect((await restore(archive, '?conflict=skip')).json).toMatchObject({ kept: 1 })
    expect(stateOf(harness)).toEqual(before)
    expect((await restore(archive, '?conflict=overwrite')).json).toMatchObject({ overwritten: 1 })
    const { json } = await harness.send('GET', '/kms/keys/main-key')
    expect(json['key_metadata']).toMatchObject({ description: 'Default key' })
  })

  it.each<[string, (archive: Buffer) => [Buffer, string?, SendOptions?], string, number?]>([
    [
      'a passphrase where it needs the key',
      (archive) => [archive, '', { headers: inHeader(PASSPHRASE) }],
      'ArchiveKeyMismatch',
    ],
    ['an archive without its end', (archive) => [archive.subarray(0, -1)], 'ArchiveDamaged'],
    ['an archive with more', (archive) => [Buffer.concat([archive, Buffer.alloc(1)])], 'ArchiveDamaged'],
    ['what is no archive', () => [Buffer.from('{"passphrase":"x"}')], 'ArchiveDamaged'],
    ['nothing', () => [Buffer.alloc(0)], 'ArchiveDamaged'],
    [
      'a passphrase that is not base64',
      (archive) => [archive, '', { headers: { [HEADER]: PASSPHRASE.slice(0, 8) } }],
      'ValidationError',
    ],
    ['an empty passphrase', (archive) => [archive, '', { headers: { [HEADER]: '' } }], 'ValidationError'],
    [
      'a passphrase that is not UTF-8',
      (archive) => [archive, '', { headers: { [HEADER]: '/w==' } }],
      'ValidationError',
    ],
    ['a passphrase in the query', (archive) => [archive, '?passphrase=x'], 'ValidationError'],
    ['a policy nobody knows', (archive) => [archive, '?conflict=replace'], 'ValidationError'],
    ['a dry run of another spelling', (archive) => [archive, '?dry_run=1'], 'ValidationError'],
    [
      'other bytes than were signed',
      (archive) => [archive, '', { sign: { payloadHash: '0'.repeat(64) } }],
      'XAmzContentSHA256Mismatch',
    ],
    [
      'an unsigned body without TLS',
      (archive) => [archive, '', { sign: { payloadHash: 'UNSIGNED-PAYLOAD' } }],
      'InvalidRequest',
    ],
  ])('refuses %s, and changes nothing', async (_, given, code) => {
    const archive = await backup()
    await lose('main-key')
    const before = stateOf(harness)
    const [body, query, options] = given(archive)
    const reply = await restore(body, query, options)
    expect([reply.status, reply.json['code']], reply.text).toEqual([400, code])
    expect(stateOf(harness)).toEqual(before)
    expect(JSON.stringify([reply.text, harness.log])).not.toContain(inHeader(PASSPHRASE)[HEADER])
  })

  it('refuses an archive of another key store', async () => {
    const other = await createHarness()
    await other.run()
    const foreign = (await other.send('POST', '/kms/backup')).bytes
    await other.close()
    const before = stateOf(harness)
    expect(codeOf(await restore(foreign, '?conflict=overwrite'))).toEqual([409, 'ForeignArchive', 'Running'])
    expect(stateOf(harness)).toEqual(before)
  })

  it('takes an unsigned body over TLS, and a signed one of more than 1 MiB', async () => {
    await harness.send('POST', '/kms/keys/update-description', {
      body: { key_id: 'main-key', description: 'x'.repeat(8000) },
    })
    const archive = await backup()
    const unsigned = { sign: { payloadHash: 'UNSIGNED-PAYLOAD' }, secure: true }
    expect((await restore(archive, '', unsigned)).status).toBe(200)
    // Only its end tells that there is too much of it.
    const long = Buffer.concat([archive, Buffer.alloc(1_048_576)])
    expect(codeOf(await restore(long))).toEqual([400, 'ArchiveDamaged', 'Running'])
  })

  it('keeps the passphrase out of what is logged of a signature that does not match', async () => {
    const debugging = await createHarness({ settings: { debugSignatures: true } })
    await debugging.run()
    try {
      const reply = await debugging.send('POST', '/kms/restore', {
        body: Buffer.from('KMSA'),
        headers: inHeader(PASSPHRASE),
        as: { ...root, secretAccessKey: 'a guess at the secret' },
      })
      expect(reply.json['code']).toBe('SignatureDoesNotMatch')
      const [shown] = debugging.log.filter(({ event }) => event === 'signature')
      expect(JSON.stringify(shown)).toContain(`${HEADER}:***`)
      expect(JSON.stringify(debugging.log)).not.toContain(inHeader(PASSPHRASE)[HEADER])
    } finally {
      await debugging.close()
    }
  })
})

describe('over a connection', () => {
  let server: Server
  let port: number
  beforeEach(async () => {
    server = createServer(harness.api.listener)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const signed = (
    target: string,
    body: Buffer,
    credentials: User = root,
    headers: Record<string, string> = {},
  ): Record<string, string> =>
    signRequest({
      method: 'POST',
      target,
      host: `127.0.0.1:${port}`,
      headers,
      credentials,
      region: 'us-east-1',
      service: 's3',
      now: harness.clock.now,
      payloadHash: createHash('sha256').update(body).digest('hex'),
    })

  /** Sends these pieces of a body, then does what it is told to the socket. */
  async function sendPart(headers: Record<string, string>, length: number, part: Buffer): Promise<void> {
    const socket = connect(port, '127.0.0.1')
    const lines = Object.entries({ ...headers, 'content-length': String(length) }).map(
      ([name, value]) => `${name}: ${value}`,
    )
    socket.write(`POST ${ADMIN}/kms/restore HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    await new Promise<void>((written) => socket.write(part, () => written()))
    socket.destroy()
  }

  it('a client that goes away in the middle of a restore has changed nothing', async () => {
    const archive = await backup()
    await lose('main-key')
    const before = stateOf(harness)
    for (const cut of [0, 10, archive.length - 1]) {
      const seen = harness.log.length
      await sendPart(signed(`${ADMIN}/kms/restore`, archive), archive.length, archive.subarray(0, cut))
      await expect
        .poll(() => harness.log.slice(seen))
        .toMatchObject([{ event: 'request', operation: 'restore', code: 'InvalidRequest' }])
      expect(stateOf(harness)).toEqual(before)
    }
    expect((await restore(archive)).status).toBe(200)
  })

  it('is refused before the body is asked for, to who may not', async () => {
    const nobody = harness.user('nobody')
    for (const [credentials, code] of [
      [nobody, 'AccessDenied'],
      [{ ...root, secretAccessKey: 'a wrong secret' }, 'SignatureDoesNotMatch'],
    ] as const) {
      const headers = signed(`${ADMIN}/kms/restore`, Buffer.alloc(10), credentials)
      const sent = httpRequest({
        host: '127.0.0.1',
        port,
        path: `${ADMIN}/kms/restore`,
        method: 'POST',
        headers: { ...headers, 'content-length': '10000000000' },
      })
      sent.on('error', () => {})
      sent.flushHeaders()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      expect(JSON.parse(text)).toMatchObject({ code })
      sent.destroy()
    }
  })

  /** Makes the store one whose archive has no end, or ends with an error. */
  function endless(failAfter = Number.POSITIVE_INFINITY): { ended: boolean } {
    const state = { ended: false }
    const backend = harness.driver.opened.at(-1)?.backend
    const record = { ...KEY, description: 'x'.repeat(8000) }
    async function* backupForever(): AsyncGenerator<ArchiveEntry> {
      try {
        for (let i = 0; i < failAfter; i++) {
          await new Promise((resolve) => setImmediate(resolve))
          const keyId = `key-${String(i).padStart(9, '0')}`
          yield { kind: 'key', record: { ...record, keyId } }
          yield { kind: 'gap', keyId, version: 1, reason: 'its file is missing' }
        }
        throw new Error('the disk with all the secrets failed')
      } finally {
        state.ended = true
      }
    }
    Object.assign(backend ?? {}, { backup: backupForever })
    return state
  }

  async function receiveBackup(onData: (received: number, response: IncomingMessage) => void): Promise<Buffer> {
    const target = `${ADMIN}/kms/backup`
    const headers = signed(target, Buffer.alloc(0))
    const sent = httpRequest({ host: '127.0.0.1', port, path: target, method: 'POST', headers })
    sent.end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    const chunks: Buffer[] = []
    let received = 0
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      onData((received += chunk.length), response)
    })
    response.on('error', () => {})
    await new Promise((closed) => response.once('close', closed))
    expect(response.complete).toBe(false)
    return Buffer.concat(chunks)
  }

  it('a client that goes away in the middle of a backup ends it, and holds nothing up', async () => {
    const state = endless()
    await receiveBackup((received, response) => {
      if (received > 300_000) response.destroy()
    })
    await expect.poll(() => state.ended).toBe(true)
    const stopped = await harness.send('POST', '/kms/stop')
    expect(stopped.json).toMatchObject({ status: 'Configured' })
  })

  it('a backup that fails in the middle breaks off, and is no archive', async () => {
    const state = endless(100)
    const bytes = await receiveBackup(() => {})
    expect(state.ended).toBe(true)
    expect(bytes.length).toBeGreaterThan(300_000)
    expect(bytes.includes('secrets')).toBe(false)
    expect(codeOf(await restore(bytes, '', {}))).toEqual([400, 'ArchiveDamaged', 'Running'])
  })
})
