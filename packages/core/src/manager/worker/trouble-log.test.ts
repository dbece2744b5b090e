import { describe, expect, it } from 'vitest'
import { kmsError } from '../../errors/kms-error.ts'
import { createTroubleLog } from './trouble-log.ts'

const down = kmsError('BackendUnavailable', { store: 's', reason: 'down' })
const slow = kmsError('BackendTimeout', { seconds: 30 })

describe('troubles', () => {
  it('are told once until they are over or others, and waited for ever longer', () => {
    const told: string[] = []
    const troubles = createTroubleLog((message) => told.push(message))
    const waits = [down, down, slow, slow, down].map((error) => troubles.note('a', 'It failed', error) / 60_000)
    expect(waits).toEqual([1, 5, 15, 60, 60])
    expect(told).toEqual([`It failed: ${down.message}`, `It failed: ${slow.message}`, `It failed: ${down.message}`])
    expect(troubles.note('b', 'Too', down)).toBe(60_000)
    troubles.over('a')
    expect(troubles.note('a', 'Again', down)).toBe(60_000)
    troubles.clear()
    expect(troubles.note('b', 'Once more', new Error('secret'))).toBe(60_000)
    expect(told.slice(3)).toEqual([
      `Too: ${down.message}`,
      `Again: ${down.message}`,
      'Once more: an internal error occurred',
    ])
  })
})
