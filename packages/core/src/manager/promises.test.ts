import type { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { caller, createHarness, dataKey, decrypt, type Harness } from '../../test/manager-harness.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import { createMemoryStore } from '../testing/index.ts'
import type { KmsManager } from './manager-types.ts'

interface Issued {
  readonly ciphertext: Buffer
  readonly plaintext: Buffer
}

const PLACES = ['a', 'b', 'c'] as const

type Step =
  | { readonly type: 'configure' | 'reconfigure' | 'rehearse'; readonly place: string; readonly defaultKey: string }
  | { readonly type: 'unconfirmed'; readonly place: string; readonly seconds: number }
  | { readonly type: 'bad'; readonly patch: Readonly<Record<string, unknown>> }
  | { readonly type: 'start'; readonly force: boolean }
  | { readonly type: 'rollback' | 'mend' | 'remove'; readonly index: number }
  | { readonly type: 'stop' | 'confirm' | 'generate' | 'restart' | 'rotate' | 'disk full' | 'turn bad' }

const place = fc.constantFrom(...PLACES)
const defaultKey = fc.constantFrom('master', 'second')
const index = fc.nat({ max: 5 })
const type = <T extends Step['type']>(name: T): fc.Arbitrary<T> => fc.constant(name)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: type('configure'), place, defaultKey }) },
  { weight: 4, arbitrary: fc.record({ type: type('reconfigure'), place, defaultKey }) },
  { weight: 1, arbitrary: fc.record({ type: type('rehearse'), place, defaultKey }) },
  { weight: 2, arbitrary: fc.record({ type: type('unconfirmed'), place, seconds: fc.constantFrom(3, 30) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: type('bad'),
      patch: fc.constantFrom<Readonly<Record<string, unknown>>>(
        { timeout_seconds: 0 },
        { nmae: 'x' },
        { name: 'foreign' },
        { name: 'down' },
        { default_key_id: '../x' },
        { backend_type: 'vault' },
      ),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: type('start'), force: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: type('rollback'), index }) },
  { weight: 1, arbitrary: fc.record({ type: type('mend'), index }) },
  { weight: 1, arbitrary: fc.record({ type: type('remove'), index }) },
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'stop' as const,
        'confirm' as const,
        'generate' as const,
        'generate' as const,
        'generate' as const,
        'restart' as const,
        'rotate' as const,
        'disk full' as const,
        'turn bad' as const,
      ),
    }),
  },
)

const DOWN = kmsError('BackendUnavailable', { store: 'down', reason: 'it is down' })

async function perform(step: Step, harness: Harness, manager: KmsManager, issued: Issued[]): Promise<KmsManager> {
  switch (step.type) {
    case 'configure':
    case 'reconfigure':
    case 'rehearse': {
      const document = { backend_type: 'memory', name: step.place, default_key_id: step.defaultKey }
      if (step.type === 'rehearse') await manager.rehearse(document)
      else await manager[step.type](document, caller)
      return manager
    }
    case 'unconfirmed':
      await manager.reconfigure({ backend_type: 'memory', name: step.place }, caller, {
        confirmWithinSeconds: step.seconds,
      })
      return manager
    case 'confirm':
      await manager.confirm(caller)
      return manager
    case 'rollback': {
      const { revision = 7 } = (await manager.history())[step.index] ?? {}
      await manager.rollback({ revision }, caller)
      return manager
    }
    case 'mend': {
      const { realm = 'none' } = manager.retired()[step.index] ?? {}
      await manager.mendRetired(realm, { timeout_seconds: 1 + harness.events.length }, caller)
      return manager
    }
    case 'remove': {
      const { realm = 'none' } = manager.retired()[step.index] ?? {}
      await manager.removeRetired({ realm, confirmRealm: realm, force: true }, caller)
      return manager
    }
    case 'bad':
      await manager.reconfigure(step.patch, caller)
      return expect.fail('a bad configuration was taken')
    case 'start':
      await manager.start({ force: step.force }, caller)
      return manager
    case 'stop':
      await manager.stop(caller)
      return manager
    case 'generate':
      issued.push(await dataKey(manager))
      return manager
    case 'rotate': {
      const { backend } = harness.driver.opened.findLast((opened) => !opened.backend.closed) ?? { backend: undefined }
      const [record] = (await backend?.list({ limit: 1 }))?.keys ?? []
      if (record !== undefined) await backend?.rotate(record.keyId, record.etag)
      return manager
    }
    case 'disk full': {
      harness.failSave = kmsError('StorageFailed', {
        what: 'the configuration',
        reason: 'no space is left on the device',
      })
      try {
        await manager.reconfigure({ cache_ttl_seconds: 1 + harness.events.length }, caller)
        return expect.fail('a change that could not be stored was taken')
      } finally {
        harness.failSave = undefined
      }
    }
    case 'turn bad': {
      // Right after a change it is returned from; later it is only noticed.
      const store = harness.driver.stores.get((manager.config()?.document['name'] ?? '') as string)
      store?.faults.fail('health', DOWN)
      await harness.pass(8)
      store?.faults.recover('health')
      return manager
    }
    case 'restart':
      return harness.boot()
  }
}

const slow = Boolean(process.env['SLOW'])
/** Calls that say why they failed in the status, and those that take time, in which the service may act by itself. */
const NOT_STILL = new Set<Step['type']>(['start', 'turn bad'])

describe('whatever is called in whatever order', () => {
  it('a failed change changes nothing, revisions only rise, and every envelope ever issued opens at the end', {
    timeout: slow ? 900_000 : 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 25 }), async (steps) => {
        const harness = await createHarness()
        try {
          harness.driver.stores.set('foreign', { ...createMemoryStore(), foreign: true })
          harness.driver.stores.set('down', createMemoryStore())
          harness.store('down').faults.fail('health', DOWN)
          const issued: Issued[] = []
          let manager = await harness.boot()
          for (const next of steps) {
            const before = { status: manager.status(), config: manager.config(), retired: manager.retired() }
            try {
              manager = await perform(next, harness, manager, issued)
              if (next.type === 'rehearse') expect(manager.config()).toEqual(before.config)
            } catch (error) {
              expect(isKmsError(error), String(error)).toBe(true)
              const after = { status: manager.status(), config: manager.config(), retired: manager.retired() }
              expect(after.config).toEqual(before.config)
              if (!NOT_STILL.has(next.type)) {
                expect(after.status).toEqual(before.status)
                expect(after.retired).toEqual(before.retired)
              }
            }
            expect(manager.status().revision).toBeGreaterThanOrEqual(before.status.revision)
            const { revision } = manager.status()
            await harness.pass(5)
            expect(manager.status().revision).toBeGreaterThanOrEqual(revision)
          }
          await openAll(harness, issued)
        } finally {
          await harness.close()
        }
      }),
      { numRuns: slow ? 1000 : 60 },
    )
  })
})

/** Starts the service once more, from disk, and opens everything; what was removed on purpose is made known again. */
async function openAll(harness: Harness, issued: readonly Issued[]): Promise<void> {
  const manager = await harness.boot()
  if (issued.length === 0) return
  for (const name of PLACES) {
    if (!harness.driver.stores.has(name)) continue
    await manager.reconfigure({ backend_type: 'memory', name, default_key_id: null }, caller)
  }
  for (const { ciphertext, plaintext } of issued) {
    expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  }
}
