import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { ErrorCode } from '../errors/catalogue.ts'
import { isKmsError } from '../errors/kms-error.ts'
import type { Capabilities, KeyBackend, KeyRecord, NewKey, UnwrapRequest } from '../keys/key-backend.ts'

/** What a test of the contract is given: one store, opened once. */
export interface StoreUnderTest {
  readonly backend: KeyBackend
  reopen(): Promise<KeyBackend>
  damage(keyId: string): Promise<void>
  readonly retiresIds: boolean
}

/** One promise of the port. */
export interface ContractTest {
  readonly name: string
  /** Members of the harness without which the test says nothing. */
  readonly needs?: readonly ('reopen' | 'damage')[]
  /** Something a backend may lack; those that do are not asked. */
  readonly capability?: keyof Capabilities
  run(store: StoreUnderTest): Promise<void>
}

/** A key to create, empty but for what is given. */
export function newKey(keyId: string, rest: Partial<NewKey> = {}): NewKey {
  return { keyId, aliases: [], description: '', tags: new Map(), ...rest }
}

/** Additional data of the size the port promises, different for different `fill`. */
export function aad(fill: number): Buffer {
  return Buffer.alloc(32, fill)
}

/** Expects a rejection with one of `codes`, and nothing else. */
export async function refused(work: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  const outcome = await work.then(
    () => ({ resolved: true as const }),
    (error: unknown) => ({ resolved: false as const, error }),
  )
  if (outcome.resolved) return expect.fail(`expected ${codes.join(' or ')}, but the call succeeded`)
  if (!isKmsError(outcome.error, ...codes)) throw outcome.error
}

/** Runs calls at the same time and counts how they ended: successes, and refusals by code. */
export async function race(calls: readonly (() => Promise<unknown>)[]): Promise<ReadonlyMap<string, number>> {
  const outcomes = await Promise.allSettled(calls.map((call) => call()))
  const counts = new Map<string, number>()
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected' && !isKmsError(outcome.reason)) throw outcome.reason
    const key = outcome.status === 'fulfilled' ? 'ok' : (outcome.reason as { code: string }).code
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** Wraps under the current version; returns the request that unwraps it. */
export async function wrapUnder(
  backend: KeyBackend,
  record: KeyRecord,
  plaintext: Uint8Array,
  additional: Uint8Array = aad(1),
): Promise<UnwrapRequest> {
  const { keyId, currentVersion: version, materialId } = record
  const wrapped = await backend.wrap({ keyId, version, plaintext, aad: additional })
  return { keyId, version, algorithm: backend.algorithm, materialId, wrapped, aad: additional }
}

/** A record without what every write changes. */
export function settled({ etag: _, ...record }: KeyRecord): Omit<KeyRecord, 'etag'> {
  return record
}
