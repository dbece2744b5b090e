import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { call, createAdmin, type Reply } from './client.ts'
import { startServer, temporaryFolder } from './server-process.ts'

type Json = Readonly<Record<string, unknown>>

interface Keys {
  post(path: string, body: object): Promise<Reply>
  remove(body: object): Promise<Reply>
  get(path: string): Promise<Reply>
}

function keysOf(url: string): Keys {
  const send = (path: string, method: string, body?: object): Promise<Reply> =>
    call(`${url}/rustfs/admin/v3/kms${path}`, { method, ...(body === undefined ? {} : { body }) })
  return {
    post: (path, body) => send(path, 'POST', body),
    remove: (body) => send('/keys/delete', 'DELETE', body),
    get: (path) => send(path, 'GET'),
  }
}

const metadata = (reply: Reply): Json => reply.json()['key_metadata'] as Json
const code = (reply: Reply): unknown => [reply.status, reply.json()['code']]

it('the life of keys, over http, on disk, across kill -9', async () => {
  const folder = temporaryFolder()
  const env = { KMS_DATA_DIR: join(folder, 'data'), KMS_ALLOW_IMMEDIATE_DELETION: 'on' }
  const first = await startServer({ env })
  await createAdmin(first.url).begin(join(folder, 'keys'))
  const { post, get } = keysOf(first.url)

  expect((await post('/keys', { key_name: 'orders', tags: { team: 'shop' } })).status).toBe(200)
  await post('/keys/alias', { key_id: 'orders', alias: 'shop' })
  const issued: Json[] = []
  const issue = async (key_id: string): Promise<void> => {
    const made = await post('/generate-data-key', { key_id })
    expect(made.status, made.text).toBe(200)
    issued.push(made.json())
  }
  await issue('shop')
  expect(metadata(await post('/keys/rotate', { key_id: 'shop' }))).toMatchObject({ current_version: 2, versions: 2 })
  await issue('shop')
  await post('/keys/rotation-period', { key_id: 'orders', days: 90 })
  await post('/keys/update-description', { key_id: 'orders', description: 'For orders' })
  await post('/keys/untag', { key_id: 'orders', tag_keys: ['team'] })

  const given = (await get('/keys/import-parameters?key_name=escrow')).json()
  const publicKey = createPublicKey({
    key: Buffer.from(given['public_key'] as string, 'base64'),
    type: 'spki',
    format: 'der',
  })
  expect(publicKey.asymmetricKeyDetails?.modulusLength).toBe(4096)
  first.kill('SIGKILL')
  await first.exited

  const second = await startServer({ env })
  const again = keysOf(second.url)
  const wrapped = publicEncrypt(
    { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    randomBytes(32),
  )
  const material = { token: given['token'], encrypted_key_material: wrapped.toString('base64'), key_name: 'escrow' }
  expect(metadata(await again.post('/keys/import', material))).toMatchObject({ key_id: 'escrow', origin: 'EXTERNAL' })
  expect(code(await again.post('/keys/import', { ...material, key_name: 'escrow' }))).toEqual([
    400,
    'InvalidImportToken',
  ])

  expect(metadata(await again.get('/keys/shop'))).toMatchObject({
    key_id: 'orders',
    aliases: ['shop'],
    description: 'For orders',
    rotation_period_days: 90,
    current_version: 2,
    tags: {},
  })
  const items = issued.map(({ ciphertext_blob }) => ({ operation: 'decrypt', ciphertext_blob }))
  const many = Array.from({ length: 500 }, () => items).flat()
  const opened = (await again.post('/batch', { items: many })).json()['results'] as Json[]
  expect(new Set(opened.map(({ plaintext }) => plaintext))).toEqual(
    new Set(issued.map(({ plaintext_key }) => plaintext_key)),
  )

  await again.post('/keys/disable', { key_id: 'orders' })
  expect(code(await again.post('/generate-data-key', { key_id: 'shop' }))).toEqual([409, 'KeyDisabled'])
  const scheduled = await again.remove({ key_id: 'orders', pending_window_in_days: 7 })
  expect(metadata(scheduled)).toMatchObject({ key_state: 'PendingDeletion' })
  second.kill('SIGKILL')
  await second.exited

  const third = await startServer({ env })
  const last = keysOf(third.url)
  expect(metadata(await last.get('/keys/orders'))['deletion_date']).toBe(scheduled.json()['deletion_date'])
  expect(metadata(await last.post('/keys/cancel-deletion', { key_id: 'orders' }))).toMatchObject({
    key_state: 'Disabled',
  })
  expect(code(await last.remove({ key_id: 'main' }))).toEqual([409, 'KeyIsDefault'])
  const gone = await last.remove({ key_id: 'escrow', force_immediate: true, confirm_key_id: 'escrow' })
  expect(gone.json()).toMatchObject({ key_id: 'escrow', key_metadata: null })
  expect(code(await last.get('/keys/escrow'))).toEqual([404, 'KeyDestroyed'])
  for (const { ciphertext_blob, plaintext_key } of issued) {
    expect((await last.post('/decrypt', { ciphertext_blob })).json()['plaintext']).toBe(plaintext_key)
  }
})
