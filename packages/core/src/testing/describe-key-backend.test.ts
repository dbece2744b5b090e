import { describe, expect, it } from 'vitest'
import { describeKeyBackend, type KeyBackendHarness } from './describe-key-backend.ts'
import { createMemoryBackend } from './memory-backend.ts'

const factory = (): KeyBackendHarness => ({ open: async () => createMemoryBackend(), cleanup: async () => {} })
const test = 'an empty store lists nothing'

describe('describeKeyBackend', () => {
  it.each([
    ['an unknown test', [{ test: 'no such test', reason: 'because' }], 'no test named "no such test"'],
    ['no reason', [{ test, reason: ' ' }], 'needs a reason'],
    [
      'one test twice',
      [
        { test, reason: 'a' },
        { test, reason: 'b' },
      ],
      'skipped twice',
    ],
  ])('refuses to skip %s', (_, skip, message) => {
    expect(() => describeKeyBackend('refused', factory, { skip })).toThrow(message)
  })
})

// Without reopen and damage, and with a skip: the rest must still run.
describeKeyBackend('memory, the least a harness may offer', factory, {
  skip: [{ test, reason: 'shows that a skip with a reason is honoured' }],
})
