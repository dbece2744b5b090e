import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isSealedValue, openSealed, openSealedBytes, type SealPlace, sealBytes, sealValue } from './sealed-value.ts'
import { createServerKey, type ServerKeyPurpose } from './server-key.ts'

interface Vectors {
  readonly server_key: string
  readonly server_key_id: string
  readonly subkeys: Record<ServerKeyPurpose, string>
  readonly values: readonly {
    readonly name: string
    readonly document: string
    readonly pointer: string
    readonly binding: string
    readonly plaintext: string
    readonly nonce: string
    readonly sealed: { readonly $sealed: string }
  }[]
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/sealed-values.json', import.meta.url), 'utf8'),
) as Vectors
const golden = createServerKey(Buffer.from(vectors.server_key, 'hex'))
const place: SealPlace = { purpose: 'config', document: 'state', pointer: '/config/master_key', binding: '/keys' }

describe('golden server key', () => {
  it('has the golden id and subkeys', () => {
    expect(golden.id).toBe(vectors.server_key_id)
    for (const [purpose, subkey] of Object.entries(vectors.subkeys)) {
      expect(golden.subkey(purpose as ServerKeyPurpose).toString('hex')).toBe(subkey)
    }
  })

  it.each(vectors.values)(
    'seals and opens to the byte: $name',
    ({ document, pointer, binding, plaintext, nonce, sealed }) => {
      const at: SealPlace = { purpose: 'config', document, pointer, binding }
      const opened = openSealed(sealed, at, { current: golden })
      expect(opened.ok && opened.plaintext.toString()).toBe(plaintext)
      const again = sealValue(Buffer.from(plaintext), at, { current: golden }, () => Buffer.from(nonce, 'hex'))
      expect(again).toEqual(sealed)
    },
  )
})

describe('a sealed value', () => {
  const current = createServerKey(randomBytes(32))
  const other = createServerKey(randomBytes(32))
  const sealed = sealValue(Buffer.from('secret'), place, { current }, randomBytes)

  it('opens while its key is the current or the previous one', () => {
    expect(openSealed(sealed, place, { current })).toMatchObject({ ok: true })
    expect(openSealed(sealed, place, { current: other, previous: current })).toMatchObject({ ok: true })
  })

  it('names the server key it needs when that is another one', () => {
    expect(openSealed(sealed, place, { current: other })).toEqual({
      ok: false,
      problem: 'server-key',
      keyId: current.id,
    })
  })

  it.each([
    ['purpose', { purpose: 'iam' }],
    ['document', { document: 'history' }],
    ['pointer', { pointer: '/config/token' }],
    ['binding', { binding: '/other' }],
  ] as const)('opens under no other %s', (_, change) => {
    expect(openSealed(sealed, { ...place, ...change }, { current })).toEqual({ ok: false, problem: 'damaged' })
  })

  it('does not open when any byte is changed, or when it is not canonical base64', () => {
    const bytes = Buffer.from(sealed.$sealed, 'base64')
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(i) ^ 0x80, i)
      expect(openSealed({ $sealed: changed.toString('base64') }, place, { current }).ok).toBe(false)
    }
    expect(openSealed({ $sealed: `${sealed.$sealed}\n` }, place, { current }).ok).toBe(false)
    expect(openSealed({ $sealed: '' }, place, { current }).ok).toBe(false)
  })

  it('is the same without base64 and JSON around it', () => {
    const bytes = sealBytes(Buffer.from('secret'), place, { current }, randomBytes)
    expect(openSealed({ $sealed: bytes.toString('base64') }, place, { current })).toMatchObject({ ok: true })
    expect(openSealedBytes(Buffer.from(sealed.$sealed, 'base64'), place, { current })).toMatchObject({ ok: true })
    const bound = { ...place, binding: Buffer.from(place.binding) }
    expect(openSealedBytes(bytes, bound, { current })).toMatchObject({ ok: true })
    expect(openSealedBytes(bytes.subarray(0, 8), place, { current })).toEqual({ ok: false, problem: 'damaged' })
  })

  it('is told apart from objects of the user', () => {
    expect(isSealedValue(sealed)).toBe(true)
    for (const value of [null, 'x', [], {}, { $sealed: 1 }, { $sealed: 'x', more: 1 }])
      expect(isSealedValue(value)).toBe(false)
  })
})

describe('createServerKey', () => {
  it.each([0, 16, 31, 33])('refuses %i bytes', (size) => {
    expect(() => createServerKey(Buffer.alloc(size))).toThrow(RangeError)
  })
})
