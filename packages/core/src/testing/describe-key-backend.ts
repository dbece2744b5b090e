import { afterEach, describe, it } from 'vitest'
import type { KeyBackend } from '../keys/key-backend.ts'
import { archiveContract } from './contract-archives.ts'
import { creationContract } from './contract-creation.ts'
import { lifeContract } from './contract-life.ts'
import { listingContract } from './contract-listing.ts'
import { recordContract } from './contract-records.ts'
import { type ContractTest, type StoreUnderTest } from './contract-test.ts'
import { wrappingContract } from './contract-wrapping.ts'

/** One empty key store, as the suite drives it. The factory is called once per test. */
export interface KeyBackendHarness {
  /** Opens the store; called once. */
  open(): Promise<KeyBackend>
  /**
   * Opens the same store once more, while the first opening may still be in use or after it was closed. Tests of
   * persistence and of several servers on one store run only when this is offered.
   */
  reopen?(): Promise<KeyBackend>
  /** Makes the record of a key unreadable. Tests of damaged records run only when this is offered. */
  damage?(keyId: string): Promise<void>
  /** A destroyed id can never be used again (`KeyIdRetired`); otherwise its versions continue. */
  readonly retiresIds?: boolean
  /** Closes what is still open and removes the store. */
  cleanup(): Promise<void>
}

export interface DescribeKeyBackendOptions {
  /** Tests this backend does not run, by their exact name, each with the reason, which the report shows. */
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
}

const contract: readonly ContractTest[] = [
  ...creationContract,
  ...recordContract,
  ...listingContract,
  ...lifeContract,
  ...wrappingContract,
  ...archiveContract,
]

/**
 * The contract of {@link KeyBackend} as a vitest suite: what its doc comments promise, one test per promise.
 * Throws when `skip` names a test that does not exist, twice the same one, or gives no reason.
 */
export function describeKeyBackend(
  name: string,
  factory: () => KeyBackendHarness | Promise<KeyBackendHarness>,
  options: DescribeKeyBackendOptions = {},
): void {
  const skipped = readSkips(options)
  describe(`KeyBackend contract: ${name}`, () => {
    let harness: KeyBackendHarness | undefined
    afterEach(async () => {
      await harness?.cleanup()
      harness = undefined
    })
    for (const test of contract) {
      it(test.name, async (context) => {
        const reason = skipped.get(test.name)
        if (reason !== undefined) return context.skip(reason)
        harness = await factory()
        const missing = test.needs?.find((need) => harness?.[need] === undefined)
        if (missing !== undefined) return context.skip(`the harness offers no ${missing}`)
        const store = await openStore(harness)
        if (test.capability !== undefined && !store.backend.capabilities[test.capability]) {
          return context.skip(`the backend lacks the capability ${test.capability}`)
        }
        await test.run(store)
      })
    }
  })
}

function readSkips({ skip = [] }: DescribeKeyBackendOptions): ReadonlyMap<string, string> {
  const known = new Set(contract.map((test) => test.name))
  const skipped = new Map<string, string>()
  for (const { test, reason } of skip) {
    if (!known.has(test)) throw new Error(`describeKeyBackend: there is no test named "${test}" to skip`)
    if (skipped.has(test)) throw new Error(`describeKeyBackend: "${test}" is skipped twice`)
    if (reason.trim() === '') throw new Error(`describeKeyBackend: skipping "${test}" needs a reason`)
    skipped.set(test, reason)
  }
  return skipped
}

async function openStore(harness: KeyBackendHarness): Promise<StoreUnderTest> {
  const absent = (): never => {
    throw new Error('the test did not say that it needs this')
  }
  return {
    backend: await harness.open(),
    reopen: () => harness.reopen?.() ?? absent(),
    damage: (keyId) => harness.damage?.(keyId) ?? absent(),
    retiresIds: harness.retiresIds === true,
  }
}
