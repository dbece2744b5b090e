import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  createServerKey,
  systemRandom,
} from '@kms/core'
import { memoryDriver } from '@kms/core/testing'
import { createRootCredentials } from '@kms/iam'
import { createS3Api } from '@kms/s3-api'
import { createMemoryObjectStore } from '@kms/s3-api/testing'
import { signRequest } from '@kms/sigv4'
import { createObjectCipher, dataPlaneKeyWrapping } from '@kms/sse'

// A running KMS with a default key: see @kms/core.
const directory = await mkdtemp(join(tmpdir(), 's3-'))
const drivers = [memoryDriver()]
const serverKeys = { current: createServerKey(systemRandom(32)) }
const onRecovered = console.warn
const manager = createKmsManager({
  drivers,
  configStore: await createFileConfigStore({ directory, drivers, keys: serverKeys, random: systemRandom, onRecovered }),
  canaryStore: createFileCanaryStore({ directory, random: systemRandom, onDamaged: console.warn }),
})
await manager.boot()
await manager.configure({ backend_type: 'memory', name: 'demo', default_key_id: 'master' }, { principal: 'root' })
await manager.start({ force: false }, { principal: 'root' })

const root = { accessKeyId: 'operator', secretAccessKey: 'correct horse' }
const api = createS3Api({
  store: createMemoryObjectStore(),
  cipher: createObjectCipher({ keys: dataPlaneKeyWrapping(manager.data), serverKeys }),
  credentials: createRootCredentials(root),
})
const server = createServer(api.listener)
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function send(method: string, path: string, body?: string, headers = {}): Promise<Response> {
  const url = `${origin}${path}`
  const signing = { method, url, headers, body: body ?? '', region: 'us-east-1', service: 's3', credentials: root }
  return await fetch(url, {
    method,
    headers: { ...headers, ...signRequest(signing) },
    ...(body === undefined ? {} : { body }),
  })
}

await send('PUT', '/letters')
const rule =
  '<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>'
await send(
  'PUT',
  '/letters?encryption',
  `<ServerSideEncryptionConfiguration>${rule}</ServerSideEncryptionConfiguration>`,
)
console.log((await send('DELETE', '/letters/not-there')).status)
await send('PUT', '/letters/ada.txt', 'Dear Ada', { 'x-amz-meta-from': 'me' })
const head = await send('HEAD', '/letters/ada.txt')
console.log(head.headers.get('content-length'))
console.log(head.headers.get('x-amz-server-side-encryption'))
console.log(await (await send('GET', '/letters/ada.txt')).text())

await new Promise((closed) => server.close(closed).closeAllConnections())
await manager.close()
await rm(directory, { recursive: true })
