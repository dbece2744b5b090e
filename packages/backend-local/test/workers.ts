import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { systemRandom } from '@kms/core'
import { expect } from 'vitest'
import { GENERATED, storeJson } from './rotations.ts'
import type { Scratch } from './scratch-store.ts'

/** What a worker acknowledged. */
export type WorkerLine =
  | {
      readonly wrapped: string
      readonly plaintext: string
      readonly keyId: string
      readonly version: number
      readonly materialId: string
    }
  | { readonly created: string }
  /** Begun; what follows when it is done. */
  | { readonly destroying: string; readonly version: number }
  | { readonly destroyed: string; readonly version: number }
  | { readonly rotated: string; readonly version: number }
  | { readonly root: boolean }
  | { readonly restored: number }
  | { readonly done: string }

export interface Workers {
  readonly scratch: Scratch
  /** The program of a worker. */
  readonly worker: string
  /** How many at the same time. */
  readonly width: number
  /** Of each. */
  readonly writes: number
  /** Set: each is killed some time within so many milliseconds after the first thing it acknowledged. */
  readonly killAfterMs?: number
  /** Whether they restore archives, too. */
  readonly restores?: boolean
}

/** Runs workers on one store until each has ended, one way or the other; returns what they acknowledged. */
export async function runWorkers({
  scratch,
  worker,
  width,
  writes,
  killAfterMs,
  restores = false,
}: Workers): Promise<readonly WorkerLine[]> {
  const lines: WorkerLine[] = []
  await Promise.all(
    Array.from({ length: width }, async (_, i) => {
      const args = [worker, scratch.keyDir, scratch.rootKeyDir, `w${i}`, String(writes), restores ? 'restores' : '']
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      let errors = ''
      child.stderr.on('data', (chunk: Buffer) => {
        errors += chunk.toString()
      })
      const exit = once(child, 'exit') as Promise<[number | null, string | null]>
      if (killAfterMs !== undefined) killSoon(child, killAfterMs)
      for await (const line of createInterface(child.stdout)) {
        // The last line of one that was killed may be cut short: it was not acknowledged.
        if (line.endsWith('}')) lines.push(JSON.parse(line) as WorkerLine)
      }
      const [code, signal] = await exit
      expect(errors).toBe('')
      expect(signal ?? code).toBe(killAfterMs === undefined ? 0 : 'SIGKILL')
    }),
  )
  return lines
}

function killSoon(child: ChildProcess, withinMs: number): void {
  child.stdout?.once('data', () => {
    setTimeout(() => child.kill('SIGKILL'), (systemRandom(2).readUInt16BE() / 65_536) * withinMs)
  })
}

/** Opens the store as the next server does: everything that was acknowledged is so, unless a restore brought back a key. */
export async function checkStore(
  scratch: Scratch,
  lines: readonly WorkerLine[],
  { restores = false }: { readonly restores?: boolean } = {},
): Promise<void> {
  const { backend } = await scratch.open(GENERATED)
  await backend.health()
  const destroyed = new Map<string, number>()
  const destroying = new Map<string, number>()
  const highest = new Map<string, number>()
  for (const line of lines) {
    if ('destroyed' in line) destroyed.set(line.destroyed, Math.max(line.version, destroyed.get(line.destroyed) ?? 0))
    if ('destroying' in line) {
      destroying.set(line.destroying, Math.max(line.version, destroying.get(line.destroying) ?? 0))
    }
    if ('rotated' in line) highest.set(line.rotated, Math.max(line.version, highest.get(line.rotated) ?? 0))
    if ('wrapped' in line) highest.set(line.keyId, Math.max(line.version, highest.get(line.keyId) ?? 0))
  }
  const { keys, unreadable } = await backend.list({ limit: 100 })
  expect(unreadable).toEqual([])
  for (const line of lines) {
    if (!('wrapped' in line)) continue
    const { keyId, version, materialId } = line
    const record = keys.find((key) => key.keyId === keyId)
    const wrapped = Buffer.from(line.wrapped, 'hex')
    const request = { keyId, version, algorithm: backend.algorithm, materialId, wrapped, aad: new Uint8Array(32) }
    const opened = await backend.unwrap(request).catch((error: { code?: string }) => error.code)
    // Destroyed, acknowledged or not: then the store itself says so.
    const isGone = record === undefined || version < record.oldestVersion
    if (isGone) expect(opened).toBe(record === undefined ? 'KeyDestroyed' : 'KeyMaterialReplaced')
    // A restore brought back the versions around it; this one was made after the archive, and destroyed.
    else if (restores && version <= (destroying.get(keyId) ?? 0) && opened === 'KeyUnavailable') continue
    else expect(opened).toEqual(Buffer.from(line.plaintext, 'hex'))
    if (!restores && version <= (destroyed.get(keyId) ?? 0))
      expect(isGone, `${keyId} ${version} was destroyed`).toBe(true)
  }
  for (const [keyId, version] of highest) {
    const found = keys.find((key) => key.keyId === keyId)?.currentVersion
    // A key that is gone goes on above what it was, when it is made again.
    if (found !== undefined) expect(found).toBeGreaterThanOrEqual(version)
    else await expect(backend.describe(keyId)).rejects.toMatchObject({ code: 'KeyDestroyed' })
  }
  await backend.close()
}

/** After a write went through and every server has ended, nothing is left of those that were killed. */
export async function expectTidy(scratch: Scratch): Promise<void> {
  const { backend } = await scratch.open(GENERATED)
  await backend.create({
    keyId: `tidy-${systemRandom(4).toString('hex')}`,
    aliases: [],
    description: '',
    tags: new Map(),
  })
  await backend.rotateRoot?.({} as never, { reseal: true })
  await expect.poll(() => backend.resealProgress?.running ?? false, { timeout: 30_000 }).toBe(false)
  await backend.close()
  expect((await storeJson(scratch.keyDir)).keks).toHaveLength(1)
  expect((await readdir(scratch.keyDir)).sort()).toEqual(['keys', 'store.json'])
  expect((await readdir(scratch.rootKeyDir)).length).toBe(1)
}
