import { isAbsolute, normalize } from 'node:path'
import { type BackendDriver, type ConfigDocument, secretField } from '@kms/core'
import { z } from 'zod'
import { filePermissions, formatPermissions } from './file-permissions.ts'
import { openLocalStore } from './open-local-store.ts'
import type { LocalPolicy } from './policy.ts'
import { restoreLocalStore } from './restore-place.ts'
import type { Environment } from './root-secret.ts'

export interface LocalDriverOptions {
  /** Absolute directory for generated root keys; made when first needed. Never inside a key directory. */
  readonly rootKeyDir: string
  /** Reads the variable that `master_key_env` names. */
  readonly environment: Environment
  readonly policy: LocalPolicy
}

const path: z.ZodType<string, string> = z
  .string()
  .max(4000)
  .refine((text) => isAbsolute(text) && !text.includes('\0'), 'must be an absolute path')
  .refine((text) => !text.split('/').includes('..'), 'must not contain ".." segments')
  .transform(normalise)

const ROOT_KEY_FIELDS = ['master_key', 'master_key_file', 'master_key_env'] as const

const SERVER_SETTINGS = /^(?:KMS|RUSTFS)_/i

/** The driver of key stores in a directory (contract §2: `local`; formats §3, §6, §7). */
export function localDriver(options: LocalDriverOptions): BackendDriver {
  return {
    type: 'local',
    aliases: ['Local'],
    fieldAliases: new Map([['key_directory', 'key_dir']]),
    shape: {
      key_dir: path,
      master_key: secretField().optional(),
      master_key_file: path.optional(),
      master_key_env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/, 'must be the name of an environment variable')
        .optional(),
      file_permissions: filePermissions(),
    },
    check(config) {
      const variable = config['master_key_env']
      if (typeof variable !== 'string' || !SERVER_SETTINGS.test(variable)) return undefined
      return { path: 'master_key_env', reason: 'must not name a setting of the server (KMS_*, RUSTFS_*)' }
    },
    secrets: [['master_key']],
    rootKeyFields: ROOT_KEY_FIELDS,
    exclusive: [ROOT_KEY_FIELDS],
    variants: [],
    identity: identityOf,
    // The store is the place: a root key kept for one directory is never tried on another.
    secretBinding: (config) => identityOf(config) ?? '',
    summary: (config) => ({
      backend_type: 'local',
      key_dir: config['key_dir'] as string,
      has_master_key: hasMasterKey(config),
      file_permissions: formatPermissions(config['file_permissions'] as number),
    }),
    open: (config, openOptions) => openLocalStore(config, { ...options, ...openOptions }),
    restore: (config, archive, how) => restoreLocalStore(config, archive, { ...options, ...how }),
  }
}

function normalise(text: string): string {
  const normal = normalize(text)
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal
}

function identityOf({ key_dir }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof key_dir === 'string' && isAbsolute(key_dir) ? normalise(key_dir) : undefined
}

function hasMasterKey(config: ConfigDocument): boolean {
  return ROOT_KEY_FIELDS.some((field) => config[field] !== undefined)
}
