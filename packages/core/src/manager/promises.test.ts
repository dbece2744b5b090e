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

type Step =
  | { readonly type: 'configure' | 'reconfigure'; readonly place: string; readonly defaultKey: string }
  | { readonly type: 'bad'; readonly patch: Readonly<Record<string, unknown>> }
  | { readonly type: 'start'; readonly force: boolean }
  | { readonly type: 'stop' | 'generate' | 'restart' | 'rotate' | 'disk full' }

const place = fc.constantFrom('a', 'b', 'c')
const defaultKey = fc.constantFrom('master', 'second')
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant('configure' as const), place, defaultKey }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('reconfigure' as const), place, defaultKey }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('bad' as const),
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
  { weight: 3, arbitrary: fc.record({ type: fc.constant('start' as const), force: fc.boolean() }) },
  {
    weight: 9,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'stop' as const,
        'generate' as const,
        'generate' as const,
        'restart' as const,
        'rotate' as const,
        'disk full' as const,
      ),
    }),
  },
)

const DOWN = kmsError('BackendUnavailable', { store: 'down', reason: 'it is down' })

async function perform(step: Step, harness: Harness, manager: KmsManager, issued: Issued[]): Promise<KmsManager> {
  switch (step.type) {
    case 'configure':
    case 'reconfigure': {
      const document = { backend_type: 'memory', name: step.place, default_key_id: step.defaultKey }
      await manager[step.type](document, caller)
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
    case 'restart':
      return harness.boot()
  }
}

const slow = Boolean(process.env['SLOW'])

describe('whatever is called in whatever order', () => {
  it('a failed change changes nothing, revisions only rise, and every envelope ever issued opens at the end', {
    timeout: slow ? 300_000 : 20_000,
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
            const before = { status: manager.status(), config: manager.config() }
            try {
              manager = await perform(next, harness, manager, issued)
            } catch (error) {
              expect(isKmsError(error), String(error)).toBe(true)
              const after = { status: manager.status(), config: manager.config() }
              expect(after.config).toEqual(before.config)
              // A start that was tried and failed says why.
              if (next.type !== 'start') expect(after.status).toEqual(before.status)
            }
            expect(manager.status().revision).toBeGreaterThanOrEqual(before.status.revision)
            harness.clock.advance(5000)
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

/** Starts the service once more, from disk, and opens everything. */
async function openAll(harness: Harness, issued: readonly Issued[]): Promise<void> {
  const manager = await harness.boot()
  if (issued.length === 0) return
  if (manager.status().status !== 'Running') {
    await manager.reconfigure({ backend_type: 'memory', name: 'a', default_key_id: null }, caller)
  }
  for (const { ciphertext, plaintext } of issued) {
    expect((await decrypt(manager, ciphertext)).plaintext.equals(plaintext)).toBe(true)
  }
}
