import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { memoryStore } from '../../test/memory-store.ts'
import { cannedPolicies } from '../canned-policies.ts'
import { createIamDirectory, type IamDirectory } from './iam-directory.ts'

const users = fc.constantFrom('ann', 'bob', 'root', '__proto__', 'x')
const names = fc.constantFrom('one', 'two', 'readonly', 'constructor', 'a,b')
const statuses = fc.constantFrom<'enabled' | 'disabled'>('enabled', 'disabled')
const actions = fc.constantFrom('kms:*', 's3:*')
const document = (action: string) => ({ Statement: { Effect: 'Allow', Action: action, Resource: '*' } })

const operation = fc.oneof(
  fc.record({
    kind: fc.constant('addUser' as const),
    user: users,
    secret: fc.constantFrom('secret-1', 'secret-2', 'short'),
    status: fc.option(statuses, { nil: undefined }),
    policies: fc.option(fc.array(names, { maxLength: 3 }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('removeUser' as const), user: users }),
  fc.record({ kind: fc.constant('setUserStatus' as const), user: users, status: statuses }),
  fc.record({
    kind: fc.constant('setUserPolicies' as const),
    user: users,
    policies: fc.array(names, { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('addPolicy' as const), name: names, action: actions }),
  fc.record({ kind: fc.constant('removePolicy' as const), name: names }),
)
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

/** The rules once more, on plain data and without time, saving and caches. */
interface Model {
  readonly users: Map<string, { secret: string; status: string; policies: string[]; changes: number }>
  readonly policies: Map<string, string>
}

function apply({ users: all, policies }: Model, step: Operation): string {
  const known = (name: string) => policies.has(name) || cannedPolicies.has(name)
  const unique = (list: readonly string[]) => [...new Set(list)]
  if (step.kind === 'addPolicy' || step.kind === 'removePolicy') {
    if (step.name.includes(',')) return 'InvalidRequest'
    if (cannedPolicies.has(step.name)) return 'ReservedName'
    if (step.kind === 'addPolicy') {
      policies.set(step.name, step.action)
      return 'done'
    }
    if (!policies.has(step.name)) return 'NoSuchPolicy'
    if ([...all.values()].some((user) => user.policies.includes(step.name))) return 'PolicyInUse'
    policies.delete(step.name)
    return 'done'
  }
  if (step.user === 'root') return 'ReservedName'
  const user = all.get(step.user)
  if (step.kind === 'addUser') {
    if (step.user.length < 3 || step.secret.length < 8) return 'InvalidRequest'
    if (step.policies?.every(known) === false) return 'NoSuchPolicy'
    const status = step.status ?? user?.status ?? 'enabled'
    const same = user?.secret === step.secret && user.status === status
    all.set(step.user, {
      secret: step.secret,
      status,
      policies: unique(step.policies ?? user?.policies ?? []),
      changes: (user?.changes ?? 0) + (same ? 0 : 1),
    })
    return 'done'
  }
  if (user === undefined) return 'NoSuchUser'
  if (step.kind === 'removeUser') all.delete(step.user)
  else if (step.kind === 'setUserStatus') {
    if (user.status !== step.status) user.changes += 1
    user.status = step.status
  } else {
    if (!step.policies.every(known)) return 'NoSuchPolicy'
    user.policies = unique(step.policies)
  }
  return 'done'
}

function perform(directory: IamDirectory, step: Operation): Promise<unknown> {
  switch (step.kind) {
    case 'addUser': {
      const { user, secret, status, policies } = step
      const rest = { ...(status && { status }), ...(policies && { policies }) }
      return directory.addUser({ accessKeyId: user, secretAccessKey: secret, ...rest })
    }
    case 'removeUser':
      return directory.removeUser(step.user)
    case 'setUserStatus':
      return directory.setUserStatus(step.user, step.status)
    case 'setUserPolicies':
      return directory.setUserPolicies(step.user, step.policies)
    case 'addPolicy':
      return directory.addPolicy(step.name, document(step.action))
    case 'removePolicy':
      return directory.removePolicy(step.name)
  }
}

function clone(model: Model): Model {
  return structuredClone(model)
}

/** Everything the directory shows, in the model's terms. */
function shown(directory: IamDirectory): unknown {
  const own = directory.listPolicies().filter(({ source }) => source === 'api')
  return {
    users: directory.listUsers().map(({ accessKeyId, status, policies }) => {
      const account = directory.account(accessKeyId)
      const attached = account?.credential.principal.policies.map(({ source }) => source)
      return {
        accessKeyId,
        status,
        policies,
        secret: account?.credential.secretAccessKey,
        attached,
        live: account?.status,
      }
    }),
    policies: own.map(({ name, policy }) => [name, policy.source]),
  }
}

function expected(model: Model): unknown {
  const source = (name: string) => {
    const action = model.policies.get(name)
    return action === undefined ? cannedPolicies.get(name)?.source : JSON.stringify(document(action))
  }
  const byName = <Value>(map: ReadonlyMap<string, Value>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    users: byName(model.users).map(([accessKeyId, { secret, status, policies }]) => {
      return { accessKeyId, status, policies, secret, attached: policies.map(source), live: status }
    }),
    policies: byName(model.policies).map(([name]) => [name, source(name)]),
  }
}

it('is its operations one after the other, however they overlap, fail or restart', async () => {
  const step = fc.record({ operation, wait: fc.boolean(), fails: fc.boolean(), restart: fc.nat(9).map((n) => n === 0) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const store = memoryStore()
      let time = 1000
      const options = { store, rootAccessKeyId: 'root', now: () => time }
      let directory = await createIamDirectory(options)
      let model: Model = { users: new Map(), policies: new Map() }
      let pending: Promise<void>[] = []
      for (const { operation: asked, wait, fails, restart } of steps) {
        const next = clone(model)
        const outcome = apply(next, asked)
        // Only what changes something is saved, and can fail to be.
        const saves =
          outcome === 'done' &&
          JSON.stringify([...next.users, ...next.policies]) !== JSON.stringify([...model.users, ...model.policies])
        if (saves) store.failures.push(fails)
        if (outcome === 'done' && !(saves && fails)) model = next
        const wanted = saves && fails ? 'ENOSPC' : outcome
        pending.push(
          perform(directory, asked).then(
            () => expect('done').toBe(wanted),
            (error: { code: string }) => expect(error.code).toBe(wanted),
          ),
        )
        if (wait || restart) {
          await Promise.all(pending)
          pending = []
          expect(shown(directory)).toEqual(expected(model))
        }
        if (restart) directory = await createIamDirectory(options)
        time += 1
      }
      await Promise.all(pending)
      expect(shown(directory)).toEqual(expected(model))
      expect(shown(await createIamDirectory(options))).toEqual(expected(model))
      expect(store.overlapped).toBe(false)
    }),
    { numRuns: process.env['SLOW'] === '1' ? 2000 : 150 },
  )
})
