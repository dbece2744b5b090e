import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readTransitKey, type TransitKey, transitMaterialId } from './transit-key.ts'

/** As OpenBao 2.7.2 answers `GET transit/keys/a`. */
const ANSWER = {
  allow_plaintext_backup: false,
  auto_rotate_period: 0,
  deletion_allowed: false,
  derived: false,
  exportable: false,
  imported_key: false,
  keys: { '1': 1795500438, '2': 1795500500 },
  latest_version: 2,
  min_available_version: 0,
  min_decryption_version: 1,
  min_encryption_version: 0,
  name: 'a',
  soft_deleted: false,
  supports_decryption: true,
  supports_derivation: true,
  supports_encryption: true,
  supports_signing: false,
  type: 'aes256-gcm96',
}

describe('readTransitKey', () => {
  it('reads what a key is and how old its versions are', () => {
    expect(readTransitKey(ANSWER)).toEqual({
      name: 'a',
      type: 'aes256-gcm96',
      latestVersion: 2,
      oldestVersion: 1,
      oldestAvailable: 1,
      createdAt: new Map([
        [1, 1795500438],
        [2, 1795500500],
      ]),
      exportable: false,
      plaintextBackup: false,
      imported: false,
    })
  })

  it.each([
    [{ min_decryption_version: 2 }, { oldestVersion: 2, oldestAvailable: 1 }],
    [{ min_available_version: 2 }, { oldestVersion: 2, oldestAvailable: 2 }],
    [
      { exportable: true, allow_plaintext_backup: true, imported_key: true },
      { exportable: true, plaintextBackup: true, imported: true },
    ],
    // HashiCorp Vault leaves out what OpenBao added.
    [{ soft_deleted: undefined, min_available_version: undefined }, { oldestVersion: 1 }],
  ])('with %j it has %j', (changes, expected) => {
    const key = readTransitKey({ ...ANSWER, ...changes })
    expect(key).toMatchObject(expected)
    expect(key?.problem).toBeUndefined()
  })

  it.each(['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305'])('takes type %s', (type) => {
    expect(readTransitKey({ ...ANSWER, type })?.problem).toBeUndefined()
  })

  it.each([
    [{ type: 'rsa-4096', keys: { '2': { creation_time: '2026-11-24T06:07:18.5Z' } } }, 'rsa-4096'],
    [{ type: 'ed25519' }, 'ed25519'],
    [{ type: 'hmac', keys: undefined }, 'hmac'],
    [{ type: 'aes256-cbc' }, 'aes256-cbc'],
    [{ derived: true }, 'derived'],
    [{ derived: true, convergent_encryption: true }, 'derived'],
    [{ convergent_encryption: true }, 'convergent'],
    [{ soft_deleted: true }, 'soft-deleted'],
    [{ supports_encryption: false }, 'does not encrypt'],
    [{ keys: { '1': 1795500438 } }, 'when its current version was made'],
  ])('with %j it cannot be used', (changes, problem) => {
    expect(readTransitKey({ ...ANSWER, ...changes })?.problem).toContain(problem)
  })

  it.each([
    [{ name: undefined }],
    [{ type: 7 }],
    [{ latest_version: 0 }],
    [{ latest_version: '2' }],
    [{ latest_version: 2 ** 32 }],
  ])('does not take %j for a key', (changes) => {
    expect(readTransitKey({ ...ANSWER, ...changes })).toBeUndefined()
  })
})

interface MaterialId {
  readonly realm: string
  readonly key_id: string
  readonly version: number
  readonly created_at: number
  readonly material_id: string
}

describe('transitMaterialId', () => {
  const rows: readonly MaterialId[] = JSON.parse(
    readFileSync(new URL('../../vectors/material-ids.json', import.meta.url), 'utf8'),
  )

  it.each(rows)('of version $version of $key_id is $material_id', (row) => {
    const { realm, key_id, version, created_at, material_id } = row
    const key = { name: key_id, createdAt: new Map([[version, created_at]]) } as unknown as TransitKey
    expect(transitMaterialId(realm, key, version)).toBe(material_id)
  })

  it('is not known of a version that is not held', () => {
    expect(transitMaterialId('00'.repeat(16), readTransitKey(ANSWER) as TransitKey, 3)).toBeUndefined()
  })
})
