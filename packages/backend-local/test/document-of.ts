import type { BackendDriver, ConfigDocument, Secret } from '@kms/core'
import { z } from 'zod'

export type Fields = Readonly<Record<string, string | number | undefined>>

/** A valid document for the driver, through its own schemas; throws what they throw. */
export function documentOf(driver: BackendDriver, fields: Fields): ConfigDocument {
  const own = z.strictObject(driver.shape).parse(fields) as Record<string, string | number | Secret>
  return {
    backend_type: 'local',
    timeout_seconds: 30,
    retry_attempts: 3,
    enable_cache: true,
    max_cached_keys: 1000,
    cache_ttl_seconds: 300,
    allow_offline_decryption: false,
    ...own,
  }
}
