import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { signRequest } from '@kms/sigv4'
import { describe, expect, it } from 'vitest'
import { ADMIN, type CallOptions, call, createAdmin, type Reply } from './client.ts'
import { type ServerProcess, startServer, temporaryFolder } from './server-process.ts'

const SSE = 'x-amz-server-side-encryption'
const KMS = { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'orders' }
const SECRET = 'the plaintext of an object, which must be nowhere on the disk'

async function begin(folder: string): Promise<ServerProcess> {
  const server = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data') } })
  const admin = createAdmin(server.url)
  await admin.begin(join(folder, 'keys'))
  expect((await admin.post('keys', { key_name: 'orders' })).status).toBe(200)
  await put(server, '/letters')
  return server
}

function put(server: ServerProcess, path: string, raw = '', options: CallOptions = {}): Promise<Reply> {
  return call(`${server.url}${path}`, { method: 'PUT', raw, ...options })
}

function get(server: ServerProcess, path: string, options: CallOptions = {}): Promise<Reply> {
  return call(`${server.url}${path}`, options)
}

/** Files below a folder that hold a text. */
function filesWith(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text))
}

describe('objects', () => {
  it('are there after a restart, encrypted on the disk, each as it was asked', async () => {
    const folder = temporaryFolder()
    const server = await begin(folder)
    expect((await put(server, '/letters/kms', SECRET, { headers: KMS })).headers).toMatchObject(KMS)
    expect((await put(server, '/letters/s3', SECRET, { headers: { [SSE]: 'AES256' } })).status).toBe(200)
    expect(filesWith(folder, SECRET)).toEqual([])
    expect((await put(server, '/letters/plain', SECRET)).status).toBe(200)
    expect(filesWith(folder, SECRET)).toHaveLength(1)
    await server.stop()
    const credentials = { accessKeyId: 'operator', secretAccessKey: 'not the default one' }
    const again = await startServer({
      env: {
        KMS_DATA_DIR: join(folder, 'data'),
        KMS_ROOT_ACCESS_KEY: credentials.accessKeyId,
        KMS_ROOT_SECRET_KEY: credentials.secretAccessKey,
      },
    })
    for (const key of ['kms', 's3', 'plain']) {
      expect((await get(again, `/letters/${key}`, { credentials })).text).toBe(SECRET)
    }
    const host = `letters.localhost:${again.port}`
    expect((await get(again, '/kms', { headers: { host }, credentials })).headers).toMatchObject(KMS)
  })

  it('outlive a server that was killed', async () => {
    const folder = temporaryFolder()
    const server = await begin(folder)
    const written: string[] = []
    const writing = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; i < 200; i++) {
        const path = `/letters/${writer}/${i}`
        const reply = await put(server, path, `${SECRET} ${path}`, { headers: KMS }).catch(() => undefined)
        if (reply?.status !== 200) return
        written.push(path)
        if (written.length === 60) server.kill('SIGKILL')
      }
    })
    await Promise.all(writing)
    expect(written.length).toBeGreaterThanOrEqual(60)
    const again = await startServer({ env: { KMS_DATA_DIR: join(folder, 'data') } })
    for (const path of written) expect((await get(again, path)).text, path).toBe(`${SECRET} ${path}`)
  })

  it('keep their key from being deleted, and name how many they are', async () => {
    const folder = temporaryFolder()
    const server = await begin(folder)
    const admin = createAdmin(server.url)
    const remove = () => call(`${admin.kms}/keys/delete`, { method: 'DELETE', body: { key_id: 'orders' } })
    await put(server, '/letters/kms', SECRET, { headers: KMS })
    await call(`${server.url}/letters/parts?uploads`, { method: 'POST', headers: KMS })
    const refused = await remove()
    expect([refused.status, refused.json()['code'], refused.text.includes('2 objects')]).toEqual([
      409,
      'KeyInUse',
      true,
    ])
    const uploadId = /<UploadId>(.*)<\/UploadId>/.exec((await get(server, '/letters?uploads')).text)?.[1]
    await call(`${server.url}/letters/parts?uploadId=${uploadId}`, { method: 'DELETE' })
    await call(`${server.url}/letters/kms`, { method: 'DELETE' })
    expect((await remove()).status).toBe(200)
  })

  it('need the KMS when they are encrypted by it, and are as they were when it is back', async () => {
    const folder = temporaryFolder()
    const server = await begin(folder)
    const admin = createAdmin(server.url)
    await put(server, '/letters/kms', SECRET, { headers: KMS })
    await put(server, '/letters/plain', SECRET)
    await admin.post('stop')
    const stopped = await get(server, '/letters/kms')
    expect([stopped.status, /<Code>(.*)<\/Code>/.exec(stopped.text)?.[1]]).toEqual([503, 'ServiceUnavailable'])
    expect((await get(server, '/letters/plain')).text).toBe(SECRET)
    expect((await put(server, '/letters/more', SECRET, { headers: KMS })).status).toBe(503)
    await admin.post('start')
    expect((await get(server, '/letters/kms')).text).toBe(SECRET)
    expect((await get(server, '/letters/more')).status).toBe(404)
  })

  it('outlive a build of what serves them: the server goes on with the files it has open', async () => {
    const folder = temporaryFolder()
    const server = await begin(folder)
    await put(server, '/letters/before', SECRET, { headers: KMS })
    execFileSync(process.execPath, [fileURLToPath(new URL('../build.mjs', import.meta.url))])
    expect((await get(server, '/letters/before')).text).toBe(SECRET)
    expect((await put(server, '/letters/after', SECRET, { headers: KMS })).status).toBe(200)
    expect((await get(server, '/letters/after')).text).toBe(SECRET)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  it('are invited to send their bodies only when they may', async () => {
    const folder = temporaryFolder()
    const server = await begin(folder)
    const talk = async (secretAccessKey: string): Promise<string> => {
      const url = `${server.url}/letters/invited`
      const credentials = { ...ADMIN, secretAccessKey }
      const signed = signRequest({ method: 'PUT', url, body: SECRET, region: 'us-east-1', service: 's3', credentials })
      const headers = {
        host: new URL(url).host,
        ...signed,
        'content-length': String(SECRET.length),
        expect: '100-continue',
      }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      const socket = connect(server.port, '127.0.0.1')
      socket.write(`PUT /letters/invited HTTP/1.1\r\n${lines.join('')}\r\n`)
      let text = ''
      for await (const chunk of socket) {
        text += (chunk as Buffer).toString()
        if (text === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(SECRET)
        if (/\r\n\r\n(?:$|<)/.test(text.replace('HTTP/1.1 100 Continue\r\n\r\n', ''))) break
      }
      socket.destroy()
      return text
    }
    expect(await talk('a wrong guess')).toMatch(/^HTTP\/1\.1 403 /)
    expect(await talk(ADMIN.secretAccessKey)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  })
})
