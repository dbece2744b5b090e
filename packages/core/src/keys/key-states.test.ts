import { describe, expect, it } from 'vitest'
import type { KeyRecord, KeyState } from './key-backend.ts'
import { type KeyAction, requireState } from './key-states.ts'

const record: KeyRecord = {
  keyId: 'k',
  aliases: [],
  description: '',
  tags: new Map(),
  state: 'Enabled',
  createdAt: 0,
  currentVersion: 1,
  oldestVersion: 1,
  materialId: '0'.repeat(32),
  origin: 'KMS',
  etag: 'e',
}

const ok = undefined
const COLUMNS: readonly KeyState[] = ['Enabled', 'Disabled', 'PendingDeletion', 'Unavailable']

/** What each state answers to each action. */
const ROWS: Readonly<Record<KeyAction, readonly (string | undefined)[]>> = {
  wrap: [ok, 'KeyDisabled', 'KeyPendingDeletion', 'KeyUnavailable'],
  unwrap: [ok, ok, 'KeyPendingDeletion', 'KeyUnavailable'],
  rotate: [ok, 'KeyDisabled', 'KeyPendingDeletion', 'KeyUnavailable'],
  enable: [ok, ok, 'KeyPendingDeletion', 'KeyUnavailable'],
  disable: [ok, ok, 'KeyPendingDeletion', 'KeyUnavailable'],
  change: [ok, ok, 'KeyPendingDeletion', 'KeyUnavailable'],
  'remove-alias': [ok, ok, ok, 'KeyUnavailable'],
  'schedule-deletion': [ok, ok, ok, 'KeyUnavailable'],
  'cancel-deletion': [ok, ok, ok, 'KeyUnavailable'],
  destroy: [ok, ok, ok, 'KeyUnavailable'],
}

describe.each(Object.entries(ROWS))('%s', (action, row) => {
  it.each(COLUMNS.map((state, i) => [state, row[i]] as const))('of a key that is %s: %s', (state, code) => {
    const attempt = () => requireState(action as KeyAction, { ...record, state })
    if (code === undefined) expect(attempt).not.toThrow()
    else expect(attempt).toThrow(expect.objectContaining({ code, message: expect.stringContaining('"k"') }))
  })
})
