import type { Capabilities } from './key-backend.ts'

/** Of a backend that can do all there is to be done; one that is added later is among them, or does not compile. */
export const EVERY_CAPABILITY: Capabilities = {
  encrypt: true,
  decrypt: true,
  generate_data_key: true,
  rotate: true,
  enable_disable: true,
  schedule_deletion: true,
  versioning: true,
  physical_delete: true,
  update_key_metadata: true,
  rewrap: true,
  import: true,
  backup: true,
}
