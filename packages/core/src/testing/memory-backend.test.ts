import { describe, expect, it } from 'vitest'
import { kmsError } from '../errors/kms-error.ts'
import { newKey, refused } from './contract-test.ts'
import { describeKeyBackend } from './describe-key-backend.ts'
import { createMemoryBackend } from './memory-backend.ts'
import { createMemoryStore } from './memory-store.ts'

for (const retiresIds of [false, true]) {
  describeKeyBackend(`memory, ${retiresIds ? 'ids retired' : 'ids continued'}`, () => {
    const store = createMemoryStore()
    return {
      open: async () => createMemoryBackend({ store, retiresIds }),
      reopen: async () => createMemoryBackend({ store, retiresIds }),
      damage: async (keyId) => {
        store.unreadable.add(keyId)
      },
      retiresIds,
      cleanup: async () => {},
    }
  })
}

describe('faults of the in-memory backend', () => {
  it('fail a verb until it recovers, without effect', async () => {
    const backend = createMemoryBackend()
    backend.fail('create', kmsError('BackendTimeout', { seconds: 1 }))
    await refused(backend.create(newKey('a')), 'BackendTimeout')
    await refused(backend.create(newKey('a')), 'BackendTimeout')
    await refused(backend.describe('a'), 'KeyNotFound')
    backend.recover('create')
    expect((await backend.create(newKey('a'))).keyId).toBe('a')
    expect(backend.calls('create')).toBe(3)
  })

  it('hang a verb until it recovers, and then let it happen', async () => {
    const backend = createMemoryBackend()
    backend.hang('create')
    let done = false
    const call = backend.create(newKey('a')).then((record) => {
      done = true
      return record
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(done).toBe(false)
    await refused(backend.describe('a'), 'KeyNotFound')
    backend.recover()
    expect((await call).keyId).toBe('a')
  })

  it('refuse a call that hung while the backend was closed', async () => {
    const backend = createMemoryBackend()
    backend.hang('health')
    const call = backend.health()
    await backend.close()
    backend.recover('health')
    await refused(call, 'BackendUnavailable')
    expect(backend.closed).toBe(true)
  })

  it('of the store meet every backend opened on it', async () => {
    const store = createMemoryStore()
    const backends = [createMemoryBackend({ store }), createMemoryBackend({ store })]
    store.faults.fail('health', kmsError('BackendTimeout', { seconds: 1 }))
    for (const backend of backends) await refused(backend.health(), 'BackendTimeout')
    store.faults.recover()
    for (const backend of backends) await backend.health()
  })
})

describe('health of the in-memory backend', () => {
  it('notices another store in its place', async () => {
    const backend = createMemoryBackend()
    backend.store.realm = '0'.repeat(32)
    await refused(backend.health(), 'RealmConflict')
  })
})
