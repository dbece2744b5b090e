import { mkdtemp, rm } from 'node:fs/promises'
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
import { createObjectCipher, dataPlaneKeyWrapping, decideWriteEncryption, sseReplyHeaders } from '@kms/sse'

// A running KMS with a default key: see @kms/core.
const directory = await mkdtemp(join(tmpdir(), 'sse-'))
const drivers = [memoryDriver()]
const serverKeys = { current: createServerKey(systemRandom(32)) }
const manager = createKmsManager({
  drivers,
  configStore: await createFileConfigStore({
    directory,
    drivers,
    keys: serverKeys,
    random: systemRandom,
    onRecovered: console.warn,
  }),
  canaryStore: createFileCanaryStore({
    directory: join(directory, 'canaries'),
    random: systemRandom,
    onDamaged: console.warn,
  }),
})
await manager.boot()
await manager.configure({ backend_type: 'memory', name: 'demo', default_key_id: 'master' }, { principal: 'root' })
await manager.start({ force: false }, { principal: 'root' })

const cipher = createObjectCipher({ keys: dataPlaneKeyWrapping(manager.data), serverKeys })
const name = { bucket: 'photos', key: '2026/holiday.jpg' }
const authorize = (keyId: string) => console.log(`may ada use ${keyId}?`)

// PUT: what the request's headers ask for, the bytes to store, and the record that makes them an object.
const headers = new Map([['x-amz-server-side-encryption', 'aws:kms']])
const encryption = decideWriteEncryption({
  header: (wanted) => headers.get(wanted),
  transport: { tls: true, loopback: false, allowInsecureSseC: false },
})
const write = await cipher.beginWrite({ name, encryption, authorize })
const stored: Buffer[] = []
for await (const chunk of write.seal([Buffer.from('not a real photo')])) stored.push(chunk)
const { record, info } = write.finish({ headers: new Map([['content-type', 'image/jpeg']]) })
console.log(sseReplyHeaders({ operation: 'PutObject', applied: info }).flat().join(' '))

// GET of a range: the record is verified first, and only what the range needs is fetched.
const body = Buffer.concat(stored)
const object = await cipher.openForRead({ name, record, authorize, range: { start: 6, end: 9 } })
const plaintext: Buffer[] = []
for await (const chunk of object.read(async function* ({ start, end }) {
  yield body.subarray(start, end)
})) {
  plaintext.push(chunk)
}
console.log(
  `${Buffer.concat(plaintext).toString()}, of ${object.info.size} bytes of ${object.info.headers.get('content-type')}`,
)
await manager.close()
await rm(directory, { recursive: true })
