import { cp, link, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyBackend, UnwrapRequest } from '@kms/core'
import { expect } from 'vitest'
import { history, observe, statesAfter } from './history.ts'
import type { Scratch } from './scratch-store.ts'

/** A store as it was after so many chapters, and what was wrapped until then. */
export interface Snapshot {
  readonly path: string
  readonly chapters: number
  /** Wraps under `bystander`, which no chapter touches. */
  readonly bystander: UnwrapRequest
  /** Wraps under each version of `Key` that this state holds. */
  readonly sealed: readonly UnwrapRequest[]
}

/** A copy made of links: the backend never writes into a file that is in place. */
export async function copyStore(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isDirectory()) await copyStore(join(from, entry.name), join(to, entry.name))
    else await link(join(from, entry.name), join(to, entry.name))
  }
}

async function wrapUnder(backend: KeyBackend, keyId: string): Promise<UnwrapRequest> {
  const { currentVersion: version, materialId } = await backend.describe(keyId)
  const aad = Buffer.alloc(32, version)
  const wrapped = await backend.wrap({ keyId, version, plaintext: Buffer.from(`${keyId} ${version}`), aad })
  return { keyId, version, algorithm: backend.algorithm, materialId, wrapped, aad }
}

/** Lives through the history once, keeping a copy of the store before and after each chapter. */
export async function takeSnapshots(scratch: Scratch): Promise<readonly Snapshot[]> {
  const backend = await scratch.backend()
  await backend.create({ keyId: 'bystander', aliases: [], description: '', tags: new Map() })
  const bystander = await wrapUnder(backend, 'bystander')
  const snapshots: Snapshot[] = []
  let sealed: UnwrapRequest[] = []
  for (let chapters = 0; chapters <= history.length; chapters++) {
    if (chapters > 0) await history[chapters - 1]?.run(backend)
    const state = await observe(backend)
    expect(state).toBe(statesAfter[chapters])
    if (state === 'no key') sealed = []
    else sealed = [...sealed, await wrapUnder(backend, 'Key')]
    const path = join(scratch.root, `after-${chapters}`)
    await cp(scratch.keyDir, path, { recursive: true })
    snapshots.push({ path, chapters, bystander, sealed: [...sealed] })
  }
  return snapshots
}

/**
 * Expects the store to be wholly as before or wholly as after the chapter that follows `before`, with everything
 * wrapped still unwrapping; returns whether the chapter took place.
 */
export async function expectOldOrNew(backend: KeyBackend, before: Snapshot): Promise<boolean> {
  const state = await observe(backend)
  const [old, changed] = statesAfter.slice(before.chapters)
  expect([old, changed]).toContain(state)
  expect((await backend.unwrap(before.bystander)).toString()).toBe('bystander 1')
  for (const each of before.sealed) {
    const opened = await backend.unwrap(each).catch((error: { code?: string }) => error.code)
    expect(String(opened)).toBe(state === 'no key' ? 'KeyDestroyed' : `Key ${each.version}`)
  }
  return state === changed
}
