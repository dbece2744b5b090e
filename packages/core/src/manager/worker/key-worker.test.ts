import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../clock.ts'
import { kmsError } from '../../errors/kms-error.ts'
import type { KeyRecord } from '../../keys/key-backend.ts'
import type { KeyUse } from '../../keys/key-use.ts'
import {
  createManualClock,
  createMemoryBackend,
  createMemoryStore,
  type ManualClock,
  type MemoryBackend,
  type MemoryBackendOptions,
  type MemoryStore,
} from '../../testing/index.ts'
import { type KeyServer, openKeyServer } from '../../testing/key-server.ts'
import { createMemoryCanaryStore } from '../../testing/memory-canary-store.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const caller = { principal: 'root' }
const authorize = (): void => {}
const request = (key: string) => ({ key, authorize, caller })

let clock: ManualClock
let store: MemoryStore
let servers: KeyServer[]
let backend: MemoryBackend

beforeEach(() => {
  clock = createManualClock(Date.UTC(2026, 0, 1))
  store = createMemoryStore()
  servers = []
})
afterEach(async () => {
  store.faults.recover()
  for (const server of servers) await server.close()
})

interface More extends MemoryBackendOptions {
  readonly keyUse?: KeyUse
  readonly canaryStore?: ReturnType<typeof createMemoryCanaryStore>
  /** The server's own; that of the store unless given. */
  readonly serverClock?: Clock
  readonly adjust?: (backend: MemoryBackend) => MemoryBackend
}

async function open(options: More = {}): Promise<KeyServer> {
  const { keyUse, canaryStore = createMemoryCanaryStore(), adjust = (made) => made, serverClock, ...more } = options
  backend = adjust(createMemoryBackend({ store, clock, random: randomBytes, ...more }))
  const server = await openKeyServer({
    backend,
    canaryStore,
    clock: serverClock ?? clock,
    random: randomBytes,
    defaultKeyId: 'main',
    ...(keyUse === undefined ? {} : { keyUse }),
  })
  servers.push(server)
  await server.worker.idle()
  return server
}

async function create(server: KeyServer, ...names: readonly string[]): Promise<void> {
  for (const name of names) await server.keys.create({ name, authorize, caller })
}

/** Lets time pass, and every worker do what falls due when it does. */
async function pass(ms: number): Promise<void> {
  const end = clock.now() + ms
  for (let next = clock.next; next !== undefined && next <= end; next = clock.next) {
    clock.advance(Math.max(0, next - clock.now()))
    for (const server of servers) await server.worker.idle()
  }
  clock.advance(end - clock.now())
}

function record(keyId: string): KeyRecord | 'destroyed' | undefined {
  const key = store.keys.get(keyId)
  if (key === undefined) return undefined
  return 'record' in key ? key.record : 'destroyed'
}

const version = (keyId: string): number | undefined => {
  const found = record(keyId)
  return typeof found === 'object' ? found.currentVersion : undefined
}

const told = (server: KeyServer): readonly string[] =>
  server.events.filter(({ event }) => event === 'kms_warning').map(({ message }) => message)

describe('a scheduled deletion', () => {
  it('happens when its time has come, and not a millisecond before', async () => {
    const server = await open()
    await create(server, 'k')
    const { record: scheduled } = await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    expect(scheduled).toMatchObject({ state: 'PendingDeletion', deletionAt: clock.now() + 7 * DAY })
    await pass(7 * DAY - 1)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
    await pass(1)
    expect(record('k')).toBe('destroyed')
    expect(server.events.at(-1)).toMatchObject({
      event: 'kms_key_destroyed',
      keyId: 'k',
      caller: { principal: 'system' },
    })
    await expect(server.keys.describe(request('k'))).rejects.toMatchObject({ code: 'KeyDestroyed' })
  })

  it('is 30 days away unless another window is asked for', async () => {
    const server = await open()
    await create(server, 'k')
    const { record: scheduled } = await server.keys.scheduleDeletion(request('k'))
    expect(scheduled.deletionAt).toBe(clock.now() + 30 * DAY)
  })

  it('survives a restart, and is done by whoever serves the store then', async () => {
    const first = await open()
    await create(first, 'k')
    await first.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await first.close()
    await pass(3 * DAY)
    await open()
    await pass(4 * DAY - 1)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
    await pass(1)
    expect(record('k')).toBe('destroyed')
  })

  it('overdue at the start is done then', async () => {
    const first = await open()
    await create(first, 'k')
    await first.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await first.close()
    await pass(100 * DAY)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
    await open()
    expect(record('k')).toBe('destroyed')
  })

  it('that was made by another server is found by the next look through the store', async () => {
    await open()
    const other = await open()
    await create(other, 'k')
    await other.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await other.close()
    await pass(7 * DAY)
    expect(record('k')).toBe('destroyed')
  })

  it('that was cancelled does not happen, by whichever server it was cancelled', async () => {
    const server = await open()
    const other = await open()
    await create(server, 'here', 'there')
    await server.keys.disable(request('there'))
    for (const name of ['here', 'there']) await server.keys.scheduleDeletion({ ...request(name), windowDays: 7 })
    await pass(7 * DAY - 1)
    expect((await server.keys.cancelDeletion(request('here'))).record).toMatchObject({ state: 'Enabled' })
    expect((await other.keys.cancelDeletion(request('there'))).record).toMatchObject({ state: 'Disabled' })
    await pass(100 * DAY)
    for (const [name, state] of [
      ['here', 'Enabled'],
      ['there', 'Disabled'],
    ] as const) {
      expect(record(name)).toMatchObject({ state })
      expect(record(name)).not.toHaveProperty('deletionAt')
      expect(record(name)).not.toHaveProperty('stateBeforeDeletion')
    }
  })

  it('beaten by a cancellation at the last moment leaves the key', async () => {
    const server = await open()
    await create(server, 'k')
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await pass(7 * DAY - 1)
    store.faults.hang('destroy')
    clock.advance(1)
    await expect.poll(() => store.faults.calls('destroy')).toBe(1)
    const { changed } = await server.keys.cancelDeletion(request('k'))
    expect(changed).toBe(true)
    store.faults.recover('destroy')
    await server.worker.idle()
    await pass(DAY)
    expect(record('k')).toMatchObject({ state: 'Enabled' })
    expect(told(server)).toEqual([])
  })

  it('that was put off by another server happens on the later day', async () => {
    const server = await open()
    const other = await open()
    await create(server, 'k')
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await other.keys.cancelDeletion(request('k'))
    await other.keys.scheduleDeletion({ ...request('k'), windowDays: 30 })
    await other.close()
    await pass(30 * DAY - 1)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
    await pass(1)
    expect(record('k')).toBe('destroyed')
  })

  it('put off at the last moment happens on the later day', async () => {
    const server = await open()
    await create(server, 'k')
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await pass(7 * DAY - 1)
    store.faults.hang('destroy')
    clock.advance(1)
    await expect.poll(() => store.faults.calls('destroy')).toBe(1)
    await server.keys.cancelDeletion(request('k'))
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 30 })
    store.faults.recover('destroy')
    await server.worker.idle()
    await pass(30 * DAY - 1)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
    await pass(1)
    expect(record('k')).toBe('destroyed')
  })

  it('is done once by two servers', async () => {
    const first = await open()
    const second = await open()
    await create(first, 'k')
    await first.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await pass(8 * DAY)
    const done = [...first.events, ...second.events].filter(({ event }) => event === 'kms_key_destroyed')
    expect(done).toHaveLength(1)
    expect(told(first)).toEqual([])
    expect(told(second)).toEqual([])
  })

  it('is remembered as done on purpose, after the store has done it', async () => {
    const canaryStore = createMemoryCanaryStore()
    const server = await open({ canaryStore })
    await create(server, 'k')
    await server.keys.rotate(request('k'))
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    const canaries = await canaryStore.open(backend.realm)
    store.faults.fail('destroy', kmsError('BackendUnavailable', { store: 's', reason: 'down' }))
    await pass(7 * DAY)
    expect(canaries.memory('k')).toEqual({ highestVersion: 2, destroyed: false })
    store.faults.recover('destroy')
    await pass(HOUR)
    expect(canaries.memory('k')).toEqual({ highestVersion: 2, destroyed: true })
  })

  it('is not slept through when the clock is set forward', async () => {
    let ahead = 0
    const server = await open({ serverClock: { ...clock, now: () => clock.now() + ahead } })
    await create(server, 'k')
    await server.keys.scheduleDeletion(request('k'))
    ahead = 30 * DAY
    await pass(10 * MINUTE)
    expect(record('k')).toBe('destroyed')
  })
})

describe('a key that is wanted', () => {
  it.each([
    ['the default key', 'main', 'KeyIsDefault'],
    ['a key of somebody else', 'adopted', 'KeyAdopted'],
  ])('is not scheduled, nor destroyed: %s', async (_, name, code) => {
    const server = await open()
    await create(server, 'main', 'adopted')
    const adopted = store.keys.get('adopted')
    if (adopted === undefined || !('record' in adopted)) return expect.fail('no key')
    store.keys.set('adopted', { ...adopted, record: { ...adopted.record, adopted: true } })
    await expect(server.keys.scheduleDeletion(request(name))).rejects.toMatchObject({ code })
    await expect(server.keys.destroy({ ...request(name), confirmKeyId: name })).rejects.toMatchObject({ code })
    expect(record(name)).toMatchObject({ state: 'Enabled' })
  })

  it('by what is stored is refused with the count, at once and again when its time has come', async () => {
    let count = 3
    const keyUse: KeyUse = { count: async () => count, beforeDestroy: async () => {} }
    const server = await open({ keyUse })
    await create(server, 'k')
    const refusal = { code: 'KeyInUse', message: expect.stringContaining('3 objects') }
    await expect(server.keys.scheduleDeletion(request('k'))).rejects.toMatchObject(refusal)
    await expect(server.keys.destroy({ ...request('k'), confirmKeyId: 'k' })).rejects.toMatchObject(refusal)
    count = 0
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    count = 3
    await pass(7 * DAY)
    await pass(5 * HOUR)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
    expect(told(server)).toEqual([expect.stringContaining('3 objects')])
    count = 0
    await pass(HOUR)
    expect(record('k')).toBe('destroyed')
  })

  it('by what was wrapped since it was asked about is not destroyed, and is as it was', async () => {
    const context = new Map<string, string>()
    const wrapped: Buffer[] = []
    const keyUse: KeyUse = {
      async count() {
        const count = wrapped.length
        // Somebody wraps right behind the first count.
        if (count === 0) {
          const { ciphertext } = await server.data.generateDataKey({ key: 'k', spec: 'AES_256', context, authorize })
          wrapped.push(ciphertext)
        }
        return count
      },
      beforeDestroy: async () => {},
    }
    const server = await open({ keyUse })
    await create(server, 'k')
    const destroying = server.keys.destroy({ ...request('k'), confirmKeyId: 'k' })
    await expect(destroying).rejects.toMatchObject({ code: 'KeyInUse', message: expect.stringContaining('1 object') })
    expect(record('k')).toMatchObject({ state: 'Enabled' })
    for (const ciphertext of wrapped) await server.data.decrypt({ ciphertext, context, authorize })
  })

  it.each([
    ['destroyed', 'KeyDestroyed'],
    ['kept', undefined],
  ])('perhaps makes who would use it wait until that is known: %s', async (end, code) => {
    const context = new Map<string, string>()
    const asking: Promise<unknown>[] = []
    let settled = 0
    let counts = 0
    const keyUse: KeyUse = {
      async count() {
        counts += 1
        if (counts < 2) return 0
        const outcomes = [
          server.data.generateDataKey({ key: 'k', spec: 'AES_256', context, authorize }),
          server.data.admitWrap({ key: 'k', authorize }),
          server.data.admitUnwrap({ ciphertext: made.ciphertext, authorize }),
        ].map((use) =>
          use.then(
            () => undefined,
            (error: { readonly code?: unknown }) => error.code,
          ),
        )
        for (const outcome of outcomes) void outcome.then(() => (settled += 1))
        asking.push(...outcomes)
        await server.data.generateDataKey({ key: 'other', spec: 'AES_256', context, authorize })
        expect(settled).toBe(0)
        return end === 'kept' ? 1 : 0
      },
      beforeDestroy: async () => {},
    }
    const server = await open({ keyUse })
    await create(server, 'k', 'other')
    const made = await server.data.generateDataKey({ key: 'k', spec: 'AES_256', context, authorize })
    const destroying = server.keys.destroy({ ...request('k'), confirmKeyId: 'k' }).catch((error: unknown) => error)
    expect(await destroying).toMatchObject(end === 'kept' ? { code: 'KeyInUse' } : { keyId: 'k' })
    expect(await Promise.all(asking)).toEqual([code, code, code])
    expect(typeof record('k')).toBe(end === 'kept' ? 'object' : 'string')
  })

  it('is scheduled only when nobody can have begun to use it meanwhile', async () => {
    const context = new Map<string, string>()
    let asking: Promise<unknown> | undefined
    const keyUse: KeyUse = {
      async count() {
        asking = server.data
          .generateDataKey({ key: 'k', spec: 'AES_256', context, authorize })
          .catch((error: { readonly code?: unknown }) => error.code)
        return 0
      },
      beforeDestroy: async () => {},
    }
    const server = await open({ keyUse })
    await create(server, 'k')
    await server.keys.scheduleDeletion(request('k'))
    expect(await asking).toBe('KeyPendingDeletion')
  })

  it('perhaps, because nobody can say, is kept', async () => {
    let broken = true
    const count = async (): Promise<number> => {
      if (broken) throw new Error('secret')
      return 0
    }
    const server = await open({ keyUse: { count, beforeDestroy: async () => {} } })
    await create(server, 'k')
    const refusal = { code: 'KeyUseUnknown', message: expect.not.stringContaining('secret') }
    await expect(server.keys.scheduleDeletion(request('k'))).rejects.toMatchObject(refusal)
    await expect(server.keys.destroy({ ...request('k'), confirmKeyId: 'k' })).rejects.toMatchObject(refusal)
    broken = false
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    broken = true
    await pass(8 * DAY)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
    broken = false
    await pass(DAY)
    expect(record('k')).toBe('destroyed')
  })

  it('is asked about by store and id, and what opens without it goes first', async () => {
    const steps: string[] = []
    const keyUse: KeyUse = {
      count: async (realm, keyId) => {
        steps.push(`count ${realm === backend.realm} ${keyId}`)
        return 0
      },
      beforeDestroy: async (realm, keyId) => {
        steps.push(`before ${realm === backend.realm} ${keyId} ${typeof record(keyId)}`)
      },
    }
    const server = await open({ keyUse })
    await create(server, 'k', 'l')
    await server.keys.destroy({ ...request('k'), confirmKeyId: 'k' })
    expect(steps).toEqual(['count true k', 'count true k', 'before true k object'])
    const failing = await open({
      keyUse: {
        ...keyUse,
        beforeDestroy: () => Promise.reject(kmsError('StorageFailed', { what: 'x', reason: 'full' })),
      },
    })
    await expect(failing.keys.destroy({ ...request('l'), confirmKeyId: 'l' })).rejects.toMatchObject({
      code: 'StorageFailed',
    })
    expect(record('l')).toMatchObject({ state: 'Enabled' })
  })

  it('as the default since it was scheduled stays, and the operator is told', async () => {
    const server = await open()
    await create(server, 'main')
    const main = store.keys.get('main')
    if (main === undefined || !('record' in main)) return expect.fail('no key')
    store.keys.set('main', {
      ...main,
      record: { ...main.record, state: 'PendingDeletion', deletionAt: clock.now() + DAY },
    })
    await pass(7 * DAY)
    expect(record('main')).toMatchObject({ state: 'PendingDeletion' })
    expect(told(server)).toEqual([expect.stringContaining('is the default key')])
  })
})

describe('destroying at once', () => {
  it('needs the id repeated', async () => {
    const server = await open()
    await create(server, 'k')
    await server.keys.addAlias({ ...request('k'), alias: 'shop' })
    for (const confirmKeyId of [undefined, '', 'shop', 'K', 'arn:aws:kms:::key/k']) {
      await expect(server.keys.destroy({ ...request('shop'), confirmKeyId })).rejects.toMatchObject({
        code: 'ValidationError',
        message: expect.stringMatching(/^confirm_key_id: /),
      })
    }
    expect(await server.keys.destroy({ ...request('shop'), confirmKeyId: 'k' })).toEqual({
      keyId: 'k',
      destroyedAt: clock.now(),
    })
    expect(record('k')).toBe('destroyed')
    expect(server.events.at(-1)).toMatchObject({ event: 'kms_key_destroyed', caller })
  })

  it.each(['Enabled', 'Disabled', 'PendingDeletion'] as const)('does so to a key that is %s', async (state) => {
    const server = await open()
    await create(server, 'k')
    if (state === 'Disabled') await server.keys.disable(request('k'))
    if (state === 'PendingDeletion') await server.keys.scheduleDeletion(request('k'))
    await server.keys.destroy({ ...request('k'), confirmKeyId: 'k' })
    expect(record('k')).toBe('destroyed')
    await pass(100 * DAY)
    expect(told(server)).toEqual([])
  })

  it('empties the caches of it', async () => {
    const server = await open()
    await create(server, 'k')
    const context = new Map<string, string>()
    const made = await server.data.generateDataKey({ key: 'k', spec: 'AES_256', context, authorize })
    await server.data.decrypt({ ciphertext: made.ciphertext, context, authorize })
    await server.keys.destroy({ ...request('k'), confirmKeyId: 'k' })
    await expect(server.data.decrypt({ ciphertext: made.ciphertext, context, authorize })).rejects.toMatchObject({
      code: 'KeyDestroyed',
    })
  })

  it('is 501 where a backend cannot', async () => {
    const server = await open({ capabilities: { physical_delete: false } })
    await create(server, 'k')
    await expect(server.keys.destroy({ ...request('k'), confirmKeyId: 'k' })).rejects.toMatchObject({
      code: 'UnsupportedCapability',
    })
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await pass(9 * DAY)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
    expect(told(server)).toEqual([expect.stringContaining('cannot destroy keys')])
  })
})

describe('scheduling', () => {
  it.each([6, 31, 0, -7, 7.5, Number.NaN])('refuses a window of %d days', async (windowDays) => {
    const server = await open()
    await create(server, 'k')
    await expect(server.keys.scheduleDeletion({ ...request('k'), windowDays })).rejects.toMatchObject({
      code: 'ValidationError',
      message: expect.stringMatching(/^pending_window_in_days: /),
    })
  })

  it('again keeps the date, and says so when another window is asked for', async () => {
    const server = await open()
    await create(server, 'k')
    const first = await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await pass(DAY)
    expect(await server.keys.scheduleDeletion(request('k'))).toEqual({ record: first.record, changed: false })
    await expect(server.keys.scheduleDeletion({ ...request('k'), windowDays: 30 })).rejects.toMatchObject({
      code: 'KeyPendingDeletion',
    })
    expect(record('k')).toEqual(first.record)
  })

  it('cancelled twice, or never done, changes nothing', async () => {
    const server = await open()
    await create(server, 'k')
    expect((await server.keys.cancelDeletion(request('k'))).changed).toBe(false)
    await server.keys.scheduleDeletion(request('k'))
    expect((await server.keys.cancelDeletion(request('k'))).changed).toBe(true)
    expect((await server.keys.cancelDeletion(request('k'))).changed).toBe(false)
  })

  it('done by somebody who did not say what was before is undone as disabled', async () => {
    const server = await open()
    await create(server, 'k')
    const key = store.keys.get('k')
    if (key === undefined || !('record' in key)) return expect.fail('no key')
    store.keys.set('k', { ...key, record: { ...key.record, state: 'PendingDeletion' } })
    await pass(100 * DAY)
    expect((await server.keys.cancelDeletion(request('k'))).record.state).toBe('Disabled')
  })
})

describe('a rotation period', () => {
  it('rotates when it is over, again and again', async () => {
    const server = await open()
    await create(server, 'k')
    await server.keys.setRotationPeriod({ ...request('k'), days: 10 })
    const versions: (number | undefined)[] = []
    for (let day = 1; day <= 30; day++) {
      await pass(DAY)
      versions.push(version('k'))
    }
    expect(versions.join('')).toBe('111111111222222222233333333334')
    expect(server.events.filter(({ event }) => event === 'kms_key_rotated')).toMatchObject(
      [2, 3, 4].map((each) => ({
        keyId: 'k',
        caller: { principal: 'system' },
        message: expect.stringContaining(`version ${each}`),
      })),
    )
  })

  it('counts from the last rotation, whoever made it', async () => {
    const server = await open()
    await create(server, 'k')
    await server.keys.setRotationPeriod({ ...request('k'), days: 10 })
    await pass(9 * DAY)
    await server.keys.rotate(request('k'))
    await pass(9 * DAY)
    expect(version('k')).toBe(2)
    await pass(DAY)
    expect(version('k')).toBe(3)
  })

  it('missed many times makes one rotation', async () => {
    const first = await open()
    await create(first, 'k')
    await first.keys.setRotationPeriod({ ...request('k'), days: 1 })
    await first.close()
    await pass(100 * DAY)
    await open()
    expect(version('k')).toBe(2)
    await pass(DAY - 1)
    expect(version('k')).toBe(2)
    await pass(1)
    expect(version('k')).toBe(3)
  })

  it('set on an old key rotates it now', async () => {
    const server = await open()
    await create(server, 'k')
    await pass(100 * DAY)
    await server.keys.setRotationPeriod({ ...request('k'), days: 99 })
    await server.worker.idle()
    expect(version('k')).toBe(2)
  })

  it('is kept once by many servers of one store', async () => {
    const all = [await open(), await open(), await open()]
    const [server] = all as [KeyServer]
    await create(server, 'k')
    await server.keys.setRotationPeriod({ ...request('k'), days: 10 })
    for (let period = 1; period <= 5; period++) {
      await pass(10 * DAY)
      expect(version('k')).toBe(period + 1)
    }
    expect(all.flatMap(told)).toEqual([])
    const rotations = all.flatMap(({ events }) => events.filter(({ event }) => event === 'kms_key_rotated'))
    expect(rotations).toHaveLength(5)
  })

  it('waits while the key is disabled or to be deleted, and is made up for once', async () => {
    const server = await open()
    await create(server, 'disabled', 'pending')
    for (const name of ['disabled', 'pending']) await server.keys.setRotationPeriod({ ...request(name), days: 2 })
    await server.keys.disable(request('disabled'))
    await server.keys.scheduleDeletion(request('pending'))
    await pass(20 * DAY)
    expect([version('disabled'), version('pending')]).toEqual([1, 1])
    await server.keys.enable(request('disabled'))
    await server.keys.cancelDeletion(request('pending'))
    await server.worker.idle()
    expect([version('disabled'), version('pending')]).toEqual([2, 2])
    await pass(2 * DAY - 1)
    expect([version('disabled'), version('pending')]).toEqual([2, 2])
  })

  it('taken away rotates no more', async () => {
    const server = await open()
    await create(server, 'k')
    await server.keys.setRotationPeriod({ ...request('k'), days: 2 })
    await server.keys.setRotationPeriod({ ...request('k'), days: null })
    await pass(20 * DAY)
    expect(version('k')).toBe(1)
  })

  it('is not kept in a hurry by a store whose clock is far behind', async () => {
    const behind = { ...clock, now: () => clock.now() - 30 * DAY }
    const server = await open({ clock: behind })
    await create(server, 'k')
    await server.keys.setRotationPeriod({ ...request('k'), days: 1 })
    await server.worker.idle()
    await pass(HOUR - 1)
    expect(version('k')).toBe(2)
  })

  it('leaves a record that was rolled back alone', async () => {
    const server = await open()
    await create(server, 'k')
    await server.keys.setRotationPeriod({ ...request('k'), days: 2 })
    const before = store.keys.get('k')
    await pass(2 * DAY)
    if (before !== undefined) store.keys.set('k', before)
    await pass(20 * DAY)
    expect(version('k')).toBe(1)
    expect(server.events.filter(({ event }) => event === 'kms_key_rotated')).toHaveLength(1)
  })
})

describe('looking through the store', () => {
  it('is done at the start and every six hours, page by page, and not for what is due in between', async () => {
    const server = await open()
    await create(server, ...Array.from({ length: 1200 }, (_, i) => `k${i}`))
    await server.keys.setRotationPeriod({ ...request('k7'), days: 1 })
    const before = store.faults.calls('list')
    await pass(6 * HOUR - 1)
    expect(store.faults.calls('list')).toBe(before)
    await pass(1)
    expect(store.faults.calls('list')).toBe(before + 3)
    const describes = store.faults.calls('describe')
    await pass(18 * HOUR)
    expect(version('k7')).toBe(2)
    expect(store.faults.calls('describe') - describes).toBeLessThan(5)
  })

  it('does not undo what was planned while it waited for a page', async () => {
    let gated = false
    let release: (() => void) | undefined
    const server = await open({
      adjust: (inner) => ({
        ...inner,
        closed: false,
        async list(page) {
          const found = await inner.list(page)
          if (gated) await new Promise<void>((resolve) => (release = resolve))
          return found
        },
      }),
    })
    await create(server, 'k')
    await pass(DAY - 1)
    gated = true
    clock.advance(1)
    await expect.poll(() => release).toBeDefined()
    await server.keys.setRotationPeriod({ ...request('k'), days: 1 })
    release?.()
    await server.worker.idle()
    expect(version('k')).toBe(2)
  })

  it('that fails is told once and tried again', async () => {
    const server = await open()
    await create(server, 'k')
    const key = store.keys.get('k')
    if (key === undefined || !('record' in key)) return expect.fail('no key')
    store.keys.set('k', { ...key, record: { ...key.record, rotationPeriodDays: 1 } })
    store.faults.fail('list', kmsError('BackendUnavailable', { store: 's', reason: 'down' }))
    await pass(6 * HOUR)
    for (let hour = 0; hour < 24; hour++) await pass(HOUR)
    expect(told(server)).toEqual([expect.stringContaining('down')])
    expect(version('k')).toBe(1)
    store.faults.recover('list')
    await pass(HOUR)
    expect(version('k')).toBe(2)
  })

  it('first finishes what is half-made, and goes on when that fails', async () => {
    const finished: number[] = []
    let failing = false
    const server = await open({
      adjust: (inner) => ({
        ...inner,
        closed: false,
        async finishLeftovers() {
          finished.push(store.faults.calls('list'))
          if (failing) throw kmsError('BackendUnavailable', { store: 's', reason: 'down' })
        },
      }),
    })
    expect(finished).toEqual([0])
    failing = true
    await pass(6 * HOUR)
    await pass(6 * HOUR)
    expect(finished).toEqual([0, 1, 2])
    expect(store.faults.calls('list')).toBe(3)
    expect(told(server)).toEqual([expect.stringContaining('down')])
  })
})

describe('trouble', () => {
  it('with a store that does not answer is told once, and everything is made up for', async () => {
    const server = await open()
    const names = Array.from({ length: 30 }, (_, i) => `k${i}`)
    await create(server, ...names)
    for (const name of names) await server.keys.setRotationPeriod({ ...request(name), days: 1 })
    store.faults.fail('describe', kmsError('BackendUnavailable', { store: 's', reason: 'down' }))
    const before = store.faults.calls('describe')
    for (let minute = 0; minute < 26 * 60; minute += 10) await pass(10 * MINUTE)
    expect(told(server)).toEqual([expect.stringContaining('down')])
    expect(store.faults.calls('describe') - before).toBeLessThan(40)
    store.faults.recover('describe')
    await pass(HOUR)
    expect(names.map(version)).toEqual(names.map(() => 2))
  })

  it('with one key keeps no other from what is due', async () => {
    const server = await open()
    await create(server, 'a', 'b', 'c')
    for (const name of ['a', 'b', 'c']) await server.keys.scheduleDeletion({ ...request(name), windowDays: 7 })
    store.unreadable.add('b')
    await pass(7 * DAY)
    expect([record('a'), record('c')]).toEqual(['destroyed', 'destroyed'])
    store.unreadable.delete('b')
    await pass(6 * HOUR)
    expect(record('b')).toBe('destroyed')
  })

  it('is over when the service stops', async () => {
    const server = await open()
    await create(server, 'k')
    await server.keys.scheduleDeletion({ ...request('k'), windowDays: 7 })
    await server.close()
    await pass(100 * DAY)
    expect(record('k')).toMatchObject({ state: 'PendingDeletion' })
  })
})
