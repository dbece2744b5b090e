import { afterEach, describe, it } from 'vitest'
import type { ObjectStore } from '../store/object-store.ts'
import { bucketContract } from './contract-buckets.ts'
import { lifeContract } from './contract-life.ts'
import { listingContract } from './contract-listing.ts'
import { objectContract } from './contract-objects.ts'
import { BUCKET, type ContractTest, type StoreUnderTest } from './contract-test.ts'
import { uploadContract } from './contract-uploads.ts'
import { useContract } from './contract-uses.ts'

/** One empty store, as the suite drives it. The factory is called once per test. */
export interface ObjectStoreHarness {
  /** Opens the store; called once. */
  open(): Promise<ObjectStore>
  /**
   * Opens the same store once more, while the first opening may still be in use or after it was closed. Tests of
   * persistence and of several processes on one store run only when this is offered.
   */
  reopen?(): Promise<ObjectStore>
  /** Closes what is still open and removes the store. */
  cleanup(): Promise<void>
}

export interface DescribeObjectStoreOptions {
  /** Tests this store does not run, by their exact name, each with the reason, which the report shows. */
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
}

const contract: readonly ContractTest[] = [
  ...bucketContract,
  ...objectContract,
  ...listingContract,
  ...uploadContract,
  ...useContract,
  ...lifeContract,
]

/**
 * The contract of {@link ObjectStore} as a vitest suite: what its doc comments promise, one test per promise.
 * Throws when `skip` names a test that does not exist, twice the same one, or gives no reason.
 */
export function describeObjectStore(
  name: string,
  factory: () => ObjectStoreHarness | Promise<ObjectStoreHarness>,
  options: DescribeObjectStoreOptions = {},
): void {
  const skipped = readSkips(options)
  describe(`ObjectStore contract: ${name}`, () => {
    let harness: ObjectStoreHarness | undefined
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
        await test.run(await openStore(harness))
      })
    }
  })
}

function readSkips({ skip = [] }: DescribeObjectStoreOptions): ReadonlyMap<string, string> {
  const known = new Set(contract.map((test) => test.name))
  const skipped = new Map<string, string>()
  for (const { test, reason } of skip) {
    if (!known.has(test)) throw new Error(`describeObjectStore: there is no test named "${test}" to skip`)
    if (skipped.has(test)) throw new Error(`describeObjectStore: "${test}" is skipped twice`)
    if (reason.trim() === '') throw new Error(`describeObjectStore: skipping "${test}" needs a reason`)
    skipped.set(test, reason)
  }
  return skipped
}

async function openStore(harness: ObjectStoreHarness): Promise<StoreUnderTest> {
  const store = await harness.open()
  await store.createBucket(BUCKET)
  return {
    store,
    reopen: () => {
      if (harness.reopen === undefined) throw new Error('the test did not say that it needs this')
      return harness.reopen()
    },
  }
}
