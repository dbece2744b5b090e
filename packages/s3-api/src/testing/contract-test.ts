import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { KeyUse, ObjectName, ObjectStore, PutObjectRequest, WrittenObject } from '../store/object-store.ts'
import { isObjectStoreError, type ObjectStoreErrorCode } from '../store/object-store-error.ts'

/** What a test of the contract is given: one empty store, opened once. */
export interface StoreUnderTest {
  readonly store: ObjectStore
  reopen(): Promise<ObjectStore>
}

/** One promise of the port. */
export interface ContractTest {
  readonly name: string
  /** Members of the harness without which the test says nothing. */
  readonly needs?: readonly 'reopen'[]
  run(given: StoreUnderTest): Promise<void>
}

/** The bucket most tests use. */
export const BUCKET = 'photos'

export function at(key: string, bucket: string = BUCKET): ObjectName {
  return { bucket, key }
}

/** A body in as many chunks as there are arguments. */
export async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void> {
  for (const part of parts) yield Buffer.from(part)
}

/** A body that fails after some bytes. */
export async function* broken(error: unknown, ...parts: readonly string[]): AsyncGenerator<Uint8Array, void> {
  yield* chunks(...parts)
  throw error
}

/** Stores an object, with metadata that says what its body is. */
export function put(
  store: ObjectStore,
  key: string,
  text: string,
  rest: Partial<PutObjectRequest> & { readonly uses?: readonly KeyUse[] } = {},
): Promise<WrittenObject> {
  return store.putObject({
    ...at(key),
    body: chunks(text),
    finish: () => ({ metadata: Buffer.from(`about ${text}`) }),
    ...rest,
  })
}

/** The body of an object as text, `undefined` when there is no object. */
export async function bodyOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const opened = await store.openObject(at(key))
  if (opened === undefined) return undefined
  try {
    return (await collect(opened.read({ start: 0, end: opened.size }))).toString()
  } finally {
    await opened.close()
  }
}

export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts)
}

/** Expects a rejection with one of `codes`, and nothing else. */
export async function refused(work: Promise<unknown>, ...codes: readonly ObjectStoreErrorCode[]): Promise<void> {
  const outcome = await work.then(
    () => ({ resolved: true as const }),
    (error: unknown) => ({ resolved: false as const, error }),
  )
  if (outcome.resolved) return expect.fail(`expected ${codes.join(' or ')}, but the call succeeded`)
  if (!isObjectStoreError(outcome.error, ...codes)) throw outcome.error
}

/** Expects a rejection with exactly this value. */
export async function throwsIt(work: Promise<unknown>, error: unknown): Promise<void> {
  await expect(work).rejects.toBe(error)
}

/** Keys by the order a listing has them in. */
export function sortedKeys(keys: Iterable<string>): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}
