import { describe, expect, it } from 'vitest'
import type { KeyPatch } from './key-backend.ts'
import { patchKey } from './patch-key.ts'

const key = {
  keyId: 'k',
  etag: 'e',
  aliases: ['a'],
  description: 'd',
  tags: new Map([['t', '1']]),
  state: 'PendingDeletion',
  deletionAt: 5,
  stateBeforeDeletion: 'Disabled',
  rotationPeriodDays: 90,
} as const

describe('patching a key', () => {
  it('without a change gives what it was', () => {
    expect(patchKey(key, {})).toEqual(key)
  })

  it.each<KeyPatch>([
    { aliases: [] },
    { aliases: ['b', 'c'] },
    { description: '' },
    { tags: new Map() },
    { state: 'Enabled' },
    { deletionAt: 0 },
    { stateBeforeDeletion: 'Enabled' },
    { rotationPeriodDays: 1 },
  ])('changes what it names and nothing else: %j', (patch) => {
    expect(patchKey(key, patch)).toEqual({ ...key, ...patch })
  })

  it.each(['deletionAt', 'stateBeforeDeletion', 'rotationPeriodDays'] as const)('clears %s', (name) => {
    const { [name]: _, ...rest } = key
    expect(patchKey(key, { [name]: null })).toStrictEqual(rest)
  })

  it('shares nothing with the patch that may change', () => {
    const patch = { aliases: ['b'], tags: new Map([['x', 'y']]) }
    const patched = patchKey(key, patch)
    patch.aliases.push('c')
    patch.tags.clear()
    expect(patched).toMatchObject({ aliases: ['b'], tags: new Map([['x', 'y']]) })
  })
})
