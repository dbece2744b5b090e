import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditRecord } from '@kms/core'
import { createManualClock, createSeededRandom, type ManualClock } from '@kms/core/testing'
import { onTestFinished } from 'vitest'
import {
  type AuditCheckpoint,
  type AuditFiles,
  type AuditFilesOptions,
  createAuditFiles,
  createAuditKey,
} from '../src/index.ts'

export const seed: Buffer = Buffer.alloc(32, 7)

export const decrypted: AuditRecord = {
  plane: 'admin',
  operation: 'decrypt',
  action: 'kms:Decrypt',
  decision: 'allow',
  outcome: 'ok',
  principal: 'ann',
  accessKeyId: 'ann',
  address: '10.0.0.9',
  requestId: 'r-1',
  keyId: 'orders',
}

/** A directory of audit files, and what its writers told. */
export interface Fixture {
  readonly directory: string
  readonly clock: ManualClock
  readonly checkpoints: AuditCheckpoint[]
  readonly troubles: (string | number)[]
  open(options?: Partial<AuditFilesOptions>): Promise<AuditFiles>
}

export async function createFixture(): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'kms-audit-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const clock = createManualClock(Date.UTC(2026, 0, 1))
  const random = createSeededRandom(1)
  const checkpoints: AuditCheckpoint[] = []
  const troubles: (string | number)[] = []
  return {
    directory,
    clock,
    checkpoints,
    troubles,
    open: (options = {}) =>
      createAuditFiles({
        directory,
        key: createAuditKey(seed),
        sync: 'never',
        whenFull: 'block',
        maxFileBytes: 1_000_000,
        dataPercent: 100,
        clock,
        random,
        onCheckpoint: (checkpoint) => checkpoints.push(checkpoint),
        onTrouble: (reason) => troubles.push(reason),
        onRecovered: (missed) => troubles.push(missed),
        ...options,
      }),
  }
}
