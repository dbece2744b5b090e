import { type ConfigDocument, kmsError, Secret } from '@kms/core'
import { DEFAULT_SECRET_DIRS, readSecretFile } from '@kms/core/internal'
import type { LocalPolicy } from './policy.ts'

/** Reads a variable of the server's environment. */
export type Environment = (name: string) => string | undefined

/** A root key as the configuration gives it, directly or by reference. */
export interface RootSecret {
  /** The field that gave it. */
  readonly field: 'master_key' | 'master_key_file' | 'master_key_env'
  readonly text: string
}

export interface RootSecretOptions {
  readonly environment: Environment
  readonly policy: LocalPolicy
}

/**
 * The root key the configuration supplies, or `undefined` when it supplies none. One line break at the end of a file is
 * not part of the secret. Throws `PolicyViolation`, or `ValidationError` when the reference leads nowhere.
 */
export async function readRootSecret(
  config: ConfigDocument,
  { environment, policy }: RootSecretOptions,
): Promise<RootSecret | undefined> {
  const given = config['master_key']
  if (given instanceof Secret) return { field: 'master_key', text: given.reveal() }
  const file = config['master_key_file']
  if (typeof file === 'string') {
    const { allowSecretFiles: allowedDirs = DEFAULT_SECRET_DIRS } = policy
    const hint = 'KMS_ALLOW_SECRET_FILES lists where secret files may be; unset, they are under /run/secrets.'
    return {
      field: 'master_key_file',
      text: await readSecretFile(file, { field: 'master_key_file', allowedDirs, hint }),
    }
  }
  const variable = config['master_key_env']
  if (typeof variable !== 'string') return undefined
  const text = environment(variable)
  if (text === undefined || text === '') {
    throw kmsError('ValidationError', { path: 'master_key_env', reason: `${variable} is not set for the server` })
  }
  return { field: 'master_key_env', text }
}
