import { Buffer } from 'node:buffer'
import { constants, createPublicKey, generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CanaryStore } from '../canary/canary-store.ts'
import type { Clock } from '../clock.ts'
import type { EncryptionContext } from '../context/encryption-context.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { WrappingKeyPair } from '../imports/wrapping-key.ts'
import type { KeyBackend } from '../keys/key-backend.ts'
import type { Unwrapped, Wrapped } from '../manager/data/data-plane.ts'
import type { ChangedKey } from '../manager/keys/change-key.ts'
import type { CreatedKey } from '../manager/keys/create-key.ts'
import type { DestroyedKey, KeyService } from '../manager/keys/key-service.ts'
import { proveStore } from '../store/prove.ts'
import {
  applyDue,
  applyStep,
  type ModelStore,
  type Outcome,
  resolve,
  shown,
  shownRecord,
  wrapUnder,
} from './key-life/key-model.ts'
import { DEFAULT_KEY, IDS, type KeyStep, type LifeStep, lifeSteps } from './key-life/key-step.ts'
import { type KeyServer, openKeyServer } from './key-server.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { createMemoryCanaryStore } from './memory-canary-store.ts'
import { createMemoryImportStore } from './memory-import-store.ts'

/** One empty key store; several servers open it at the same time. */
export interface KeyLifeHarness {
  /** Opens the store; `clock` tells what time records are written at. */
  open(clock: Clock): Promise<KeyBackend>
  cleanup(): Promise<void>
}

export interface DescribeKeyLifeOptions {
  /** Lives to try, and the steps of the longest. */
  readonly runs: number
  readonly length: number
  /** As in `KeyBackendHarness`. */
  readonly retiresIds?: boolean
  /** Whether the store has a clock of its own, so that rotations by the clock of a test mean nothing there. */
  readonly ownClock?: boolean
  readonly timeoutMs?: number
}

/**
 * Keys, as two servers of one store make, change, use and destroy them, at random and at the same time, as a property:
 * every call ends as a model says, in one order or the other where two met, and leaves what the model leaves; what is due
 * happens once; and at the end everything opens that was wrapped by a version of a key that was not destroyed.
 */
export function describeKeyLife(
  name: string,
  factory: () => KeyLifeHarness | Promise<KeyLifeHarness>,
  options: DescribeKeyLifeOptions,
): void {
  const { runs, length, ownClock = false, timeoutMs = 120_000 } = options
  describe(`the life of keys: ${name}`, () => {
    it('is what the model says, whatever happens in whatever order', { timeout: timeoutMs }, async () => {
      const steps = lifeSteps(length, { periods: !ownClock })
      await fc.assert(
        fc.asyncProperty(steps, async (life) => {
          const harness = await factory()
          try {
            await live(life, harness, options)
          } finally {
            await harness.cleanup()
          }
        }),
        { numRuns: runs },
      )
    })
  })
}

interface Issued {
  readonly ciphertext: Buffer
  readonly plaintext: Buffer
  readonly keyId: string
  readonly version: number
}

/** Where a life is, and what the model says of it. */
interface Life {
  readonly clock: ManualClock
  readonly harness: KeyLifeHarness
  readonly canaries: readonly [CanaryStore, CanaryStore]
  readonly servers: [KeyServer, KeyServer]
  readonly issued: Issued[]
  model: ModelStore
}

async function live(steps: readonly LifeStep[], harness: KeyLifeHarness, options: DescribeKeyLifeOptions) {
  const clock = createManualClock(Date.now())
  const canaries = [createMemoryCanaryStore(), createMemoryCanaryStore()] as const
  const servers: [KeyServer, KeyServer] = [
    await openServer(harness, clock, canaries[0]),
    await openServer(harness, clock, canaries[1]),
  ]
  const model: ModelStore = { keys: new Map(), destroyed: new Map(), retiresIds: options.retiresIds === true }
  const life: Life = { clock, harness, canaries, servers, issued: [], model }
  try {
    for (const step of [...BEGINNING, ...steps]) await take(life, step)
    await openAll(life)
  } finally {
    for (const server of life.servers) await server.close()
  }
}

/** Most of what can be done needs keys to do it to. */
const BEGINNING: readonly LifeStep[] = [
  { type: 'do', server: 0, step: { type: 'create', name: DEFAULT_KEY } },
  { type: 'do', server: 0, step: { type: 'create', name: 'a' } },
  { type: 'do', server: 1, step: { type: 'create', name: 'b' } },
  { type: 'do', server: 1, step: { type: 'add alias', target: 'a', alias: 'y' } },
]

const asked = { authorize: (): void => {}, caller: { principal: 'model' } }

async function openServer(harness: KeyLifeHarness, clock: ManualClock, canaryStore: CanaryStore): Promise<KeyServer> {
  return openKeyServer({
    backend: await harness.open(clock),
    canaryStore,
    clock,
    random: randomBytes,
    defaultKeyId: DEFAULT_KEY,
    importStore: createMemoryImportStore(),
    generateWrappingKey,
  })
}

let pair: WrappingKeyPair | undefined

async function generateWrappingKey(): Promise<WrappingKeyPair> {
  pair ??= generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  return { publicKey: pair.publicKey, privateKey: Buffer.from(pair.privateKey) }
}

async function take(life: Life, step: LifeStep): Promise<void> {
  const { clock, servers } = life
  switch (step.type) {
    case 'do': {
      const outcome = await perform(servers[step.server], step.step)
      return explain(life, [step.step], [outcome])
    }
    case 'both': {
      const [one, two] = step.steps
      return explain(life, step.steps, await Promise.all([perform(servers[0], one), perform(servers[1], two)]))
    }
    case 'wait':
      clock.jump(step.hours * 3_600_000)
      return explain(life, [], [])
    case 'restart':
      await servers[step.server].close()
      servers[step.server] = await openServer(life.harness, clock, life.canaries[step.server])
      return explain(life, [], [])
    case 'wrap':
      return wrap(life, servers[step.server], step.target)
  }
}

async function settle({ servers }: Life): Promise<void> {
  for (const server of servers) await server.worker.idle()
}

/** Finds the order of events that ends as the calls ended, and leaves what is there now; the model goes on from there. */
async function explain(life: Life, steps: readonly KeyStep[], outcomes: readonly Outcome[]): Promise<void> {
  await settle(life)
  const happened = { outcomes: outcomes.map((each) => comparable(each, steps)), left: await survey(life) }
  const now = life.clock.now()
  const orders = steps.length === 2 ? [[0, 1] as const, [1, 0] as const] : [steps.map((_, i) => i)]
  const candidates = readingsOf(life.model, steps).flatMap((reading) =>
    orders.flatMap((order) =>
      // A worker may act on what the first of two made due before the second comes, or after both.
      [true, false].map((eager) => {
        const played = play(life.model, reading, order, now, eager)
        const predicted = {
          outcomes: played.outcomes.map((each) => comparable(each, steps)),
          left: surveyOf(played.store),
        }
        return { predicted, store: played.store }
      }),
    ),
  )
  const match = candidates.find(({ predicted }) => isDeepStrictEqual(predicted, happened))
  if (match === undefined) expect({ steps, ...happened }).toEqual({ steps, ...candidates[0]?.predicted })
  else life.model = match.store
}

/** Of two at the same time, one may have looked its name up before the other gave the name to another key, or took it away. */
function readingsOf(model: ModelStore, steps: readonly KeyStep[]): readonly (readonly KeyStep[])[] {
  const [one, two] = steps
  if (one === undefined || two === undefined) return [steps]
  const readings = [one, two].map((step) => {
    const key = 'target' in step ? resolve(model, step.target) : undefined
    return key === undefined ? [step] : [step, { ...step, target: key.id }]
  }) as [KeyStep[], KeyStep[]]
  return readings[0].flatMap((first) => readings[1].map((second) => [first, second]))
}

function play(
  before: ModelStore,
  steps: readonly KeyStep[],
  order: readonly number[],
  now: number,
  eager: boolean,
): { readonly store: ModelStore; readonly outcomes: readonly Outcome[] } {
  let store = before
  const outcomes: Outcome[] = []
  for (const index of order) {
    const after = applyStep(store, steps[index] as KeyStep, now)
    store = eager ? applyDue(after.store, now) : after.store
    outcomes[index] = after.outcome
  }
  return { store: applyDue(store, now), outcomes }
}

/** Whether a key is gone, or its alias with it, depends on when one of two calls looked the name up. */
function comparable(outcome: Outcome, steps: readonly KeyStep[]): Outcome {
  if (steps.length < 2 || !('code' in outcome) || outcome.code !== 'KeyDestroyed') return outcome
  return { code: 'KeyNotFound' }
}

/** All that shows of the store: its keys, and of every id whether it is gone on purpose. */
async function survey({ servers: [{ store }] }: Life): Promise<object> {
  const { keys } = await store.backend.list({ limit: 100 })
  const gone: string[] = []
  for (const id of IDS) {
    const error = await store.backend.describe(id).catch((reason: unknown) => reason)
    if (isKmsError(error, 'KeyDestroyed')) gone.push(id)
  }
  return { keys: keys.map(shownRecord), gone }
}

function surveyOf({ keys, destroyed }: ModelStore): object {
  const sorted = [...keys.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  return { keys: sorted.map(shown), gone: IDS.filter((id) => destroyed.has(id)) }
}

async function perform({ keys }: KeyServer, step: KeyStep): Promise<Outcome> {
  try {
    const result = await call(keys, step)
    if ('destroyedAt' in result) return { key: { destroyed: result.keyId }, changed: true }
    return { key: shownRecord(result.record), changed: 'changed' in result ? result.changed : true }
  } catch (error) {
    if (isKmsError(error)) return { code: error.code }
    throw error
  }
}

function call(keys: KeyService, step: KeyStep): Promise<ChangedKey | CreatedKey | DestroyedKey> {
  switch (step.type) {
    case 'create':
      return keys.create({ name: step.name, ...asked })
    case 'import':
      return importKey(keys, step.name)
    case 'rotate':
    case 'enable':
    case 'disable':
      return keys[step.type]({ key: step.target, ...asked })
    case 'cancel':
      return keys.cancelDeletion({ key: step.target, ...asked })
    case 'describe':
      return keys.updateDescription({ key: step.target, description: step.description, ...asked })
    case 'tag':
      return keys.tag({ key: step.target, tags: new Map([[step.tag, step.value]]), ...asked })
    case 'untag':
      return keys.untag({ key: step.target, tagKeys: [step.tag], ...asked })
    case 'add alias':
      return keys.addAlias({ key: step.target, alias: step.alias, ...asked })
    case 'remove alias':
      return keys.removeAlias({ key: step.target, alias: step.alias, ...asked })
    case 'schedule':
      return keys.scheduleDeletion({
        key: step.target,
        ...(step.days === undefined ? {} : { windowDays: step.days }),
        ...asked,
      })
    case 'destroy':
      return keys.destroy({ key: step.target, confirmKeyId: step.confirm, ...asked })
    case 'period':
      return keys.setRotationPeriod({ key: step.target, days: step.days, ...asked })
  }
}

async function importKey(keys: KeyService, name: string): Promise<CreatedKey> {
  const { token, publicKey } = await keys.importParameters({ name, authorize: asked.authorize })
  const key = createPublicKey({ key: publicKey, type: 'spki', format: 'der' })
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const wrapped = publicEncrypt({ key, padding, oaepHash: 'sha256' }, randomBytes(32))
  return keys.importKey({ name, token, wrapped, ...asked })
}

const context: EncryptionContext = new Map([['life', 'of keys']])

/** How old a server's knowledge of a key may be. */
const FRESH_MS = 5000

async function wrap(life: Life, server: KeyServer, target: string): Promise<void> {
  life.clock.jump(FRESH_MS)
  await explain(life, [], [])
  const expected = wrapUnder(life.model, target)
  const plaintext = randomBytes(32)
  const made = await server.data
    .encrypt({ key: target, plaintext, context, authorize: asked.authorize })
    .catch((error: unknown) => error)
  if (typeof expected === 'string') return expect(made).toMatchObject({ code: expected })
  const { id: keyId, version } = expected
  expect(made).toMatchObject({ keyId, keyVersion: version })
  life.issued.push({ ciphertext: (made as Wrapped).ciphertext, plaintext, keyId, version })
}

/** The end: everything opens that may, on both servers, and both stores pass their proof. */
async function openAll(life: Life): Promise<void> {
  for (const { id, state } of life.model.keys.values()) {
    if (state === 'PendingDeletion') {
      await take(life, { type: 'do', server: 0, step: { type: 'cancel', target: id } })
    }
  }
  life.clock.jump(FRESH_MS)
  await explain(life, [], [])
  for (const { data, store, events } of life.servers) {
    for (const { ciphertext, plaintext, keyId, version } of life.issued) {
      const opened = await data
        .decrypt({ ciphertext, context, authorize: asked.authorize })
        .catch((error: unknown) => error)
      const key = life.model.keys.get(keyId)
      if (key !== undefined && version >= key.oldest) {
        expect((opened as Unwrapped).plaintext.equals(plaintext), `${keyId} version ${version}`).toBe(true)
      } else expect(isKmsError(opened, 'KeyDestroyed', 'KeyMaterialReplaced', 'KeyNotFound')).toBe(true)
    }
    const known = { known: true, newDefaultKey: 'refuse', requireUsableDefaultKey: false } as const
    const key = { defaultKey: DEFAULT_KEY, resolvedDefaultKeyId: DEFAULT_KEY }
    await proveStore({ store, place: 'tested', ...key, ...known, clock: life.clock, random: randomBytes })
    expect(events.filter(({ event }) => event === 'kms_warning')).toEqual([])
  }
}
