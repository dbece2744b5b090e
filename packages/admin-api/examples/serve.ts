import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdminApi } from '@kms/admin-api'
import {
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  createServerKey,
  systemRandom as random,
} from '@kms/core'
import { memoryDriver } from '@kms/core/testing'
import { createRootCredentials } from '@kms/iam'
import { signRequest } from '@kms/sigv4'

// A manager whose keys are lost with the process; a server passes a driver that keeps them.
const directory = mkdtempSync(join(tmpdir(), 'kms-example-'))
const drivers = [memoryDriver()]
const keys = { current: createServerKey(random(32)) }
const manager = createKmsManager({
  drivers,
  configStore: await createFileConfigStore({ directory, drivers, keys, random, onRecovered: console.warn }),
  canaryStore: createFileCanaryStore({ directory: join(directory, 'canaries'), random, onDamaged: console.warn }),
})
await manager.boot()

const root = { accessKeyId: 'operator', secretAccessKey: 'correct horse battery' }
const { app } = createAdminApi({ manager, credentials: createRootCredentials(root) })

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const url = `http://localhost:9000/rustfs/admin/v3${path}`
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const headers = signRequest({ method, url, credentials: root, region: 'us-east-1', service: 's3', ...sent })
  const response = await app.request(url, { method, headers, ...sent })
  return (await response.json()) as Record<string, unknown>
}

await call('POST', '/kms/configure', { backend_type: 'memory', name: 'example', default_key_id: 'main' })
await call('POST', '/kms/start')
const { status } = await call('GET', '/kms/status')
console.log('status:', status)

const made = await call('POST', '/kms/generate-data-key', { encryption_context: { tenant: 'blue' } })
const { ciphertext_blob, plaintext_key } = made
const opened = await call('POST', '/kms/decrypt', { ciphertext_blob, encryption_context: { tenant: 'blue' } })
console.log('same key:', opened['plaintext'] === plaintext_key)

const refused = await call('POST', '/kms/decrypt', { ciphertext_blob, encryption_context: { tenant: 'red' } })
console.log('another context:', refused['code'])

const unsigned = await app.request('http://localhost:9000/rustfs/admin/v3/kms/status')
console.log('unsigned:', unsigned.status)

await manager.close()
rmSync(directory, { recursive: true })
