import { isKmsError, systemRandom } from '@kms/core'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Operation } from '../transport/operation.ts'
import type { VaultClient } from '../transport/vault-client.ts'
import { createKvRecords } from './kv-records.ts'
import { readEntry } from './record-file.ts'
import { createTransit } from './transit.ts'
import { readTransitKey } from './transit-key.ts'

/** Words of real answers, so that what is made up comes close to them. */
const words = [
  'data',
  'metadata',
  'keys',
  'errors',
  'version',
  'created_time',
  'ciphertext',
  'plaintext',
  'batch_results',
  'error',
  'latest_version',
  'name',
  'type',
  'public_key',
  'aes256-gcm96',
  'vault:v1:AAAA',
  'vault:v0:AAAA',
  'AAAA',
  '__proto__',
]
const answer = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, 0, 1, 2, -1, 1.5, '', ...words),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...words), tie('value'), { maxKeys: 5 }),
  ),
}))
const body = fc.dictionary(fc.constantFrom('data', 'errors', 'auth', 'warnings'), answer.value)
const status = fc.constantFrom(200, 204, 400, 403, 404)

describe('whatever Vault answers', () => {
  it('every call ends with what was asked, or with an error of the catalogue', async () => {
    const operation = {} as Operation
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(status, body), { minLength: 1, maxLength: 4 }), async (answers) => {
        let asked = 0
        const client: VaultClient = {
          place: 'https://v',
          admit() {},
          async request() {
            const [code, content] = answers[asked++ % answers.length] as [number, Record<string, unknown>]
            const errors = Array.isArray(content['errors'])
              ? content['errors'].filter((each) => typeof each === 'string')
              : []
            return { status: code, body: content, errors }
          },
        }
        const transit = createTransit(client, 'transit', systemRandom)
        const records = createKvRecords(client, { mount: 'kv', prefix: 'p', random: systemRandom, onWarning() {} })
        const bytes = Buffer.alloc(32)
        const item = { version: 1, plaintext: bytes, wrapped: bytes, aad: bytes }
        const calls: readonly (() => Promise<unknown>)[] = [
          () => transit.read(operation, 'a'),
          () => transit.list(operation),
          () => transit.create(operation, 'a'),
          () => transit.importKey(operation, 'a', bytes),
          () => transit.rotate(operation, 'a'),
          () => transit.allowDeletion(operation, 'a', true),
          () => transit.remove(operation, 'a'),
          () => transit.encrypt(operation, 'a', item),
          () => transit.decrypt(operation, 'a', item),
          () => transit.encryptMany(operation, 'a', [item, item]),
          () => transit.decryptMany(operation, 'a', [item, item]),
          () => records.read(operation, 'a'),
          () => records.list(operation),
          () => records.write(operation, 'a', () => ({}), 0),
        ]
        for (const call of calls) {
          try {
            await call()
          } catch (error) {
            if (!isKmsError(error)) throw error
            expect(error.message).not.toContain('undefined')
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('records and keys are read or refused', () => {
    fc.assert(
      fc.property(answer.value, (value) => {
        const entry = readEntry('a', value)
        expect(typeof entry === 'string' || 'kind' in entry).toBe(true)
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return
        const key = readTransitKey(value)
        if (key !== undefined) expect(key.latestVersion).toBeGreaterThanOrEqual(1)
      }),
      { numRuns: 2000 },
    )
  })
})
