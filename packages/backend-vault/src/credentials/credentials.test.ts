import { type KmsError, kmsError } from '@kms/core'
import { createManualClock, type ManualClock } from '@kms/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { createOperations } from '../transport/operation.ts'
import type { VaultCaller } from '../transport/vault-caller.ts'
import type { VaultCall, VaultReply } from '../transport/vault-transport.ts'
import type { CredentialSource } from './credential-source.ts'
import { type Credentials, createCredentials } from './credentials.ts'
import { type Lease, leaseOf } from './lease.ts'

const SECOND = 1000
const unreachable = kmsError('BackendUnavailable', { store: 'https://v', reason: 'it is sealed (503)' })

describe('createCredentials', () => {
  let clock: ManualClock
  let logins: number
  let ttl: number
  let renewable: boolean
  /** What a renewal answers: seconds, or why not. */
  let renewal: (call: number) => number | 'refused' | KmsError
  let loginFailure: KmsError | undefined
  let lookup: 'good' | 'dead'
  let gone: string | undefined
  let asked: string[]
  let warnings: string[]
  let isChanged: boolean
  let credentials: Credentials

  beforeEach(() => {
    clock = createManualClock(Date.UTC(2026, 0, 1))
    logins = 0
    ttl = 60
    renewable = true
    renewal = () => ttl
    loginFailure = undefined
    lookup = 'good'
    gone = undefined
    asked = []
    warnings = []
    isChanged = false
  })

  function create(rest: Partial<CredentialSource> = {}, timeoutSeconds = 30): Credentials {
    const caller: VaultCaller = {
      async call(_, { request }: VaultCall, token) {
        asked.push(`${request} ${token}`)
        const reply = (status: number, body = {}): VaultReply => ({ status, body, errors: [] })
        if (request === 'token-lookup') return reply(lookup === 'good' && token !== gone ? 200 : 403)
        if (request !== 'token-renew') return reply(204)
        const answer = renewal(asked.filter((each) => each.startsWith('token-renew')).length)
        if (answer === 'refused') return reply(403)
        if (typeof answer !== 'number') throw answer
        return reply(200, { auth: { lease_duration: answer, renewable } })
      },
    }
    const source: CredentialSource = {
      name: 'approle',
      ours: true,
      field: 'auth_method.approle',
      async obtain(): Promise<Lease> {
        if (loginFailure !== undefined) throw loginFailure
        logins += 1
        return leaseOf(`s.${logins}`, ttl, renewable, clock.now())
      },
      ...rest,
    }
    const place = 'https://v'
    const operations = createOperations({ clock, timeoutSeconds, place })
    credentials = createCredentials({
      source,
      caller,
      upkeep: operations,
      farewell: operations,
      clock,
      place,
      timeoutSeconds,
      onWarning: (message) => warnings.push(message),
    })
    return credentials
  }

  async function settle(): Promise<void> {
    for (let i = 0; i < 30; i++) await Promise.resolve()
  }
  async function pass(seconds: number): Promise<void> {
    await settle()
    clock.advance(seconds * SECOND)
    await settle()
  }
  const codeOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: { code: string }) => error.code)
  /** Someone's operation, as far as these look at it. */
  const operation = { remaining: () => 1, attempt: () => expect.fail(), sleep: () => expect.fail(), throwIfOver() {} }

  it('has a token once it was started, and fails to start as the login fails', async () => {
    await create().start()
    expect(await credentials.token()).toBe('s.1')
    expect(credentials.expiresAt()).toBe(clock.now() + 60 * SECOND)
    loginFailure = kmsError('CredentialsRefused', { path: 'x', store: 'v', reason: 'no' })
    await expect(create().start()).rejects.toMatchObject({ code: 'CredentialsRefused' })
  })

  it('renews at half of its life, again and again, and logs in once', async () => {
    await create().start()
    await pass(29.9)
    expect(asked).toEqual([])
    await pass(0.1)
    expect(asked).toEqual(['token-renew s.1'])
    expect(credentials.expiresAt()).toBe(clock.now() + 60 * SECOND)
    for (let i = 0; i < 49; i++) await pass(30)
    expect(asked.length).toBe(50)
    expect(logins).toBe(1)
    expect(await credentials.token()).toBe('s.1')
  })

  it('logs in when renewal brings less and less', async () => {
    await create().start()
    renewal = (call) => (call === 1 ? 60 : 20)
    await pass(30)
    expect(logins).toBe(1)
    await pass(30)
    expect(logins).toBe(2)
    expect(await credentials.token()).toBe('s.2')
    await pass(30)
    expect(asked.at(-1)).toBe('token-renew s.2')
  })

  it('logs in when renewal is refused, and when the token cannot be renewed', async () => {
    await create().start()
    renewal = () => 'refused'
    await pass(30)
    expect(await credentials.token()).toBe('s.2')
    await credentials.close()
    asked = []
    renewable = false
    await create().start()
    await pass(30)
    expect(asked).toEqual([])
    expect(await credentials.token()).toBe('s.4')
  })

  it('does not renew a token without end', async () => {
    ttl = 0
    await create().start()
    await pass(1_000_000)
    expect(asked).toEqual([])
    expect(credentials.expiresAt()).toBeUndefined()
    expect(await credentials.token()).toBe('s.1')
  })

  it('tries again every second while Vault cannot be reached, and tells once', async () => {
    await create().start()
    renewal = () => unreachable
    loginFailure = unreachable
    await pass(30)
    for (let i = 0; i < 5; i++) await pass(1)
    expect(asked.length).toBe(6)
    expect(warnings).toEqual([expect.stringContaining('could not be renewed (approle)')])
    renewal = () => 60
    await pass(1)
    expect(await credentials.token()).toBe('s.1')
    expect(credentials.expiresAt()).toBe(clock.now() + 60 * SECOND)
  })

  it.each([
    [60, 30, 15],
    [10, 30, 2.5],
    [3600, 30, 30],
    [3600, 300, 300],
    [600, 300, 150],
  ])('with a TTL of %i s and timeout_seconds %i sends no token in its last %i s', async (seconds, timeout, window) => {
    ttl = seconds
    renewal = () => unreachable
    await create({}, timeout).start()
    loginFailure = unreachable
    await pass(seconds - window - 0.001)
    expect(await codeOf(credentials.token())).toBe('s.1')
    await pass(0.001)
    expect(await codeOf(credentials.token())).toBe('BackendUnavailable')
    await expect(credentials.token()).rejects.toMatchObject({ message: expect.stringContaining('it is sealed (503)') })
  })

  it('has everyone wait for the one login there is, and recovers by itself', async () => {
    renewal = () => unreachable
    await create().start()
    loginFailure = unreachable
    await pass(59)
    expect(await codeOf(credentials.token())).toBe('BackendUnavailable')
    loginFailure = undefined
    await pass(1)
    const tokens = await Promise.all(Array.from({ length: 10 }, () => credentials.token()))
    expect(new Set(tokens)).toEqual(new Set(['s.2']))
    expect(logins).toBe(2)
  })

  it('tells a token that is gone from one that may not', async () => {
    await create().start()
    await pass(2)
    expect(await credentials.replaced(operation, 's.1')).toBe(false)
    expect(asked).toEqual(['token-lookup s.1'])
    gone = 's.1'
    expect(await credentials.replaced(operation, 's.1')).toBe(true)
    expect(await credentials.token()).toBe('s.2')
    // Others, who were refused with the old one, need not ask.
    asked = []
    expect(await credentials.replaced(operation, 's.1')).toBe(true)
    expect(asked).toEqual([])
  })

  it('does not log in for every refusal when tokens may not look themselves up', async () => {
    lookup = 'dead'
    await create().start()
    expect(await credentials.replaced(operation, 's.1')).toBe(true)
    expect(asked).toEqual(['token-lookup s.1', 'token-lookup s.2'])
    for (let i = 0; i < 10; i++) expect(await credentials.replaced(operation, 's.2')).toBe(false)
    expect([logins, asked.length]).toEqual([2, 2])
    await pass(1)
    expect(await credentials.replaced(operation, 's.2')).toBe(true)
    expect(logins).toBe(3)
  })

  it('says so when a token is gone and there is no other', async () => {
    await create().start()
    await pass(2)
    lookup = 'dead'
    loginFailure = unreachable
    await expect(credentials.replaced(operation, 's.1')).rejects.toMatchObject({
      code: 'BackendUnavailable',
      message: expect.stringContaining('has expired or was revoked'),
    })
  })

  it('revokes what it logged in for when it is closed, and renews no more', async () => {
    await create().start()
    await credentials.close()
    expect(asked).toEqual(['token-revoke s.1'])
    await pass(1000)
    expect(asked.length).toBe(1)
  })

  describe('a token the operator supplied', () => {
    const supplied = { name: 'token', ours: false, field: 'auth_method.token.token' }

    it('is renewed, and never revoked', async () => {
      await create(supplied).start()
      await pass(30)
      expect(asked).toEqual(['token-renew s.1'])
      await credentials.close()
      expect(asked).toEqual(['token-renew s.1'])
    })

    it('is said to end when it cannot be renewed any more, once', async () => {
      renewable = false
      const obtain = async (): Promise<Lease> => leaseOf('s.fixed', Math.max(1, ttl), renewable, clock.now())
      await create({ ...supplied, obtain }).start()
      ttl = 30
      await pass(30)
      ttl = 15
      await pass(15)
      expect(warnings).toEqual([expect.stringMatching(/cannot be renewed beyond 2026-01-01T00:01:00.000Z/)])
    })
  })

  describe('a file that holds the token', () => {
    it('is looked at every two seconds, and another token in it is used', async () => {
      let inFile = 's.first'
      const source = {
        name: 'token_file',
        ours: false,
        obtain: async (): Promise<Lease> => {
          if (loginFailure !== undefined) throw loginFailure
          isChanged = false
          return leaseOf(inFile, 3600, true, clock.now())
        },
        changed: async () => isChanged,
      }
      await create(source).start()
      await pass(2)
      expect(await credentials.token()).toBe('s.first')
      inFile = 's.second'
      isChanged = true
      await pass(2)
      expect(await credentials.token()).toBe('s.second')
      // One that is not good leaves the one before.
      inFile = 's.bad'
      isChanged = true
      loginFailure = kmsError('CredentialsRefused', { path: 'x', store: 'v', reason: 'unknown there' })
      await pass(2)
      await pass(2)
      expect(await credentials.token()).toBe('s.second')
      expect(warnings).toEqual([expect.stringContaining('unknown there')])
      loginFailure = undefined
      await pass(2)
      expect(await credentials.token()).toBe('s.bad')
      await credentials.close()
      isChanged = true
      inFile = 's.later'
      await pass(10)
      expect(credentials.expiresAt()).toBeLessThan(clock.now() + 3600 * SECOND)
    })
  })
})
