import { Buffer } from 'node:buffer'
import { createHash, hkdfSync } from 'node:crypto'
import { label } from '../bytes/framing.ts'

/** What a subkey of the server key is for (formats §4). */
export type ServerKeyPurpose = 'config' | 'iam' | 'session' | 'offline' | 'upload' | 'metadata' | 'audit' | 'import'

/** The key that seals what this server stores; gateways that share state share it. */
export interface ServerKey {
  /** First 8 bytes of SHA-256(label `kms/server-key-id/v1` ‖ key), as 16 hex digits; not secret. */
  readonly id: string
  /** HKDF-SHA-256(server key, no salt, info `kms/server/<purpose>/v1`), 32 bytes; the same buffer every time. */
  subkey(purpose: ServerKeyPurpose): Buffer
}

/** Makes a server key of 32 bytes. Throws `RangeError` for any other length. */
export function createServerKey(bytes: Uint8Array): ServerKey {
  if (bytes.length !== 32) throw new RangeError(`server key: expected 32 bytes, got ${bytes.length}`)
  const key = Buffer.from(bytes)
  const subkeys = new Map<ServerKeyPurpose, Buffer>()
  return {
    id: createHash('sha256').update(label('kms/server-key-id/v1')).update(key).digest('hex').slice(0, 16),
    subkey(purpose) {
      let subkey = subkeys.get(purpose)
      if (subkey === undefined) {
        subkey = Buffer.from(hkdfSync('sha256', key, '', `kms/server/${purpose}/v1`, 32))
        subkeys.set(purpose, subkey)
      }
      return subkey
    },
  }
}

/** The current server key, and the previous one while a change of key is under way. */
export interface ServerKeys {
  readonly current: ServerKey
  /** Still opens sealed values; never seals. */
  readonly previous?: ServerKey
}
