import { createKmsClient, isKmsClientError } from '@kms/client'

const client = createKmsClient({
  endpoint: process.env['KMS_ENDPOINT'] ?? 'http://127.0.0.1:9000',
  credentials: { accessKeyId: 'admin', secretAccessKey: 'admin' },
})

const { status } = await client.call('getStatus')
console.log('status:', status)

const encryption_context = { tenant: 'blue' }
const { plaintext_key, ciphertext_blob } = await client.call('generateDataKey', { body: { encryption_context } })
const opened = await client.call('decrypt', { body: { ciphertext_blob, encryption_context } })
console.log('same key:', opened.plaintext === plaintext_key)

try {
  await client.call('describeKey', { path: { key_id: 'absent' } })
} catch (error) {
  if (!isKmsClientError(error, 'KeyNotFound')) throw error
  console.log('absent:', error.status, error.code)
}
client.close()
