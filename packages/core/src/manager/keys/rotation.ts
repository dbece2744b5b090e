import type { KeyRecord } from '../../keys/key-backend.ts'
import type { ChangeRule } from './change-key.ts'

/** Adds a version to a key whose record, read just now, is one to rotate. */
export function rotation(isDue: (record: KeyRecord) => boolean): ChangeRule {
  return {
    capability: 'rotate',
    action: 'rotate',
    edit(record) {
      if (!isDue(record)) return undefined
      const { keyId, etag } = record
      return (backend) => backend.rotate(keyId, etag)
    },
    event: ({ keyId, currentVersion }) => ({
      event: 'kms_key_rotated',
      message: `Key "${keyId}" was rotated: version ${currentVersion} wraps from now on.`,
    }),
  }
}
