import { Buffer } from 'node:buffer'
import { REDACTED, Secret } from '@kms/core'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { redact, redactText } from './redact.ts'

it.each([
  'master_key',
  'secretKey',
  'secret_access_key',
  'Authorization',
  'x-vault-token',
  'X-Amz-Security-Token',
  'plaintext_key',
  'passphrase',
])('hides what is called %s, at any depth', (name) => {
  const shown = redact({ [name]: 'canary', a: { b: [{ [name]: { inner: 'canary' } }] } })
  expect(JSON.stringify(shown)).not.toContain('canary')
  expect(shown[name]).toBe(REDACTED)
})

it('says whether a secret is there, and leaves the rest as it is', () => {
  const fields = { token: true, password: null, token_expires_at: 'soon', count: 1, list: ['a', 2], none: undefined }
  expect(redact(fields)).toEqual(fields)
  expect(JSON.stringify(redact({ secret: new Secret('x'), when: new Date(0) }))).toBe(
    `{"secret":"${REDACTED}","when":"1970-01-01T00:00:00.000Z"}`,
  )
})

it.each([
  ['a Vault token', 'token hvs.CAESIJ1234567890abcdefghij is invalid', `token ${REDACTED} is invalid`],
  ['an old one', 's.abcdefghijklmnopqrstuvwx', REDACTED],
  ['a signature', `Signature=${'ab'.repeat(32)}, x`, `Signature=${REDACTED}, x`],
  ['a private key', '-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY----- x', `${REDACTED} x`],
  ['half a private key', 'a -----BEGIN PRIVATE KEY-----\nMHc', `a ${REDACTED}`],
])('hides %s in any text', (_, text, expected) => {
  expect(redactText(text)).toBe(expected)
  expect(redact({ reason: { nested: text } })).toEqual({ reason: { nested: expected } })
})

it('ends, and shows no bytes, whatever it is given', () => {
  const loop: Record<string, unknown> = {}
  loop['self'] = loop
  expect(JSON.stringify(redact(loop))).toContain('…')
  expect(redact({ bytes: Buffer.from('canary') })).toEqual({ bytes: '6 bytes' })
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), (fields) => {
      expect(Object.keys(redact(fields))).toEqual(Object.keys(fields))
    }),
  )
})
