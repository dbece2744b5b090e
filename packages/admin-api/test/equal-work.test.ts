import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createHarness, type Harness, root, sendPresigned, sendSts, type User } from './harness.ts'

const work = vi.hoisted(() => ({ counts: {} as Record<string, number> }))

vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof import('node:crypto')>()
  const counted = [
    'createHmac',
    'createHash',
    'hash',
    'createSecretKey',
    'timingSafeEqual',
    'createDecipheriv',
  ] as const
  return {
    ...crypto,
    ...Object.fromEntries(
      counted.map((name) => [
        name,
        (...args: unknown[]) => {
          work.counts[name] = (work.counts[name] ?? 0) + 1
          return (crypto[name] as (...given: unknown[]) => unknown)(...args)
        },
      ]),
    ),
  }
})

const ann: User = { accessKeyId: 'ann', secretAccessKey: 'battery staple' }
const disabled: User = { accessKeyId: 'gone', secretAccessKey: 'battery staple' }
const guess = 'a wrong secret'

/** Who fails to sign, and how that is answered. */
const failing: readonly (readonly [string, User, string])[] = [
  ['a user with a wrong secret', { ...ann, secretAccessKey: guess }, 'SignatureDoesNotMatch'],
  ['root with a wrong secret', { ...root, secretAccessKey: guess }, 'SignatureDoesNotMatch'],
  ['an unknown access key', { accessKeyId: 'nobody', secretAccessKey: guess }, 'InvalidAccessKeyId'],
  ['a disabled user with a wrong secret', { ...disabled, secretAccessKey: guess }, 'InvalidAccessKeyId'],
  ['a disabled user with the right secret', disabled, 'InvalidAccessKeyId'],
]

/** Ways to send a request; each returns the code of the answer. */
const ways: readonly (readonly [string, (harness: Harness, as: User) => Promise<unknown>])[] = [
  ['GET', async (h, as) => (await h.send('GET', '/kms/status', { as })).json['code']],
  ['POST', async (h, as) => (await h.send('POST', '/kms/start', { as, body: { force: false } })).json['code']],
  ['a query', async (h, as) => (await sendPresigned(h, 'GET', '/kms/status', as)).json['code']],
  ['STS', async (h, as) => (await sendSts(h, { Action: 'GetCallerIdentity' }, { as })).text('Code')],
]

let harness: Harness
beforeAll(async () => {
  harness = await createHarness({ settings: { authFailuresPerMinute: 1000 } })
  for (const user of [ann, disabled]) await harness.directory.addUser({ ...user, policies: [] })
  await harness.directory.setUserStatus('gone', 'disabled')
})
beforeEach(() => {
  work.counts = {}
})
afterAll(() => harness.close())

it.each(ways)('failing to sign costs the same, whoever it was: %s', async (_, send) => {
  // Signing counts as well; it is the same for all. Warm: the right secret was used before.
  await send(harness, ann)
  await send(harness, root)
  const costs = new Map<string, unknown>()
  for (const [name, as, code] of failing) {
    work.counts = {}
    expect([name, await send(harness, as)]).toEqual([name, code])
    costs.set(name, work.counts)
  }
  const [first] = costs.values()
  expect((first as Record<string, number>)['createHmac']).toBeGreaterThan(5)
  for (const [name, counts] of costs) expect([name, counts]).toEqual([name, first])
})
