import { kmsError } from '../errors/kms-error.ts'
import type { Capabilities, KeyBackend } from './key-backend.ts'

const WORDS: Readonly<Record<keyof Capabilities, string>> = {
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  generate_data_key: 'generate data keys',
  rotate: 'rotate keys',
  enable_disable: 'enable or disable keys',
  schedule_deletion: 'schedule the deletion of keys',
  versioning: 'keep versions of keys',
  physical_delete: 'destroy keys',
  update_key_metadata: 'change what is recorded of a key',
  rewrap: 'wrap again',
  import: 'take imported key material',
  backup: 'be backed up',
}

/** Throws `UnsupportedCapability` when a backend of the type `type` cannot do something. */
export function requireCapability(
  { capabilities }: Pick<KeyBackend, 'capabilities'>,
  capability: keyof Capabilities,
  type: string,
): void {
  if (!capabilities[capability]) {
    throw kmsError('UnsupportedCapability', { backend: type, capability: WORDS[capability] })
  }
}
