import { Buffer } from 'node:buffer'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFsObjectStore } from '@kms/store-fs'

const directory = await mkdtemp(join(tmpdir(), 'kms-objects-'))
const store = await openFsObjectStore({ directory: join(directory, 'objects') })
await store.createBucket('letters')

async function* text(): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from('Dear Ada, ')
  yield Buffer.from('it works.')
}
const name = { bucket: 'letters', key: 'to/ada.txt' }
const uses = [{ realm: '00112233445566778899aabbccddeeff', keyId: 'orders', version: 1 }]
await store.putObject({
  ...name,
  body: text(),
  uses,
  finish: ({ size }) => ({ metadata: Buffer.from(`${size} bytes`) }),
})

const { entries } = await store.listObjects({ bucket: 'letters', delimiter: '/', limit: 1000 })
console.log(entries.map((entry) => (entry.kind === 'prefix' ? entry.prefix : entry.object.key)).join())
const opened = await store.openObject(name)
await store.deleteObject(name)
if (opened !== undefined) {
  console.log(opened.metadata.toString())
  for await (const chunk of opened.read({ start: 5, end: 8 })) console.log(chunk.toString())
  await opened.close()
}
const { objects } = await store.countKeyUse({ realm: '00112233445566778899aabbccddeeff' })
console.log(`${objects} objects left`)
await store.close()
await rm(directory, { recursive: true })
