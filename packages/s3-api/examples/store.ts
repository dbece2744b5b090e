import { Buffer } from 'node:buffer'
import { createMemoryObjectStore } from '@kms/s3-api/testing'

const store = createMemoryObjectStore()
await store.createBucket('letters')

async function* text(): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from('Dear Ada')
}
const put = (expected?: 'absent') =>
  store.putObject({
    bucket: 'letters',
    key: 'to/ada.txt',
    body: text(),
    finish: ({ size }) => ({ metadata: Buffer.from(`${size} bytes`), ...(expected === undefined ? {} : { expected }) }),
  })
await put()
console.log((await store.object({ bucket: 'letters', key: 'to/ada.txt' }))?.metadata.toString())
console.log(await put('absent').catch((error: { readonly code: string }) => error.code))
