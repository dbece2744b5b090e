import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type ConfigDocument, kmsError, Secret } from '@kms/core'
import { storageReason } from '@kms/core/internal'
import { isWithin, type LocalPolicy } from './policy.ts'

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

const MAX_SECRET_BYTES = 65_536
const DEFAULT_SECRET_DIRS = ['/run/secrets', '/var/run/secrets'] as const

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
  if (typeof file === 'string') return { field: 'master_key_file', text: await readSecretFile(file, policy) }
  const variable = config['master_key_env']
  if (typeof variable !== 'string') return undefined
  const text = environment(variable)
  if (text === undefined || text === '') {
    throw kmsError('ValidationError', { path: 'master_key_env', reason: `${variable} is not set for the server` })
  }
  return { field: 'master_key_env', text }
}

async function readSecretFile(path: string, policy: LocalPolicy): Promise<string> {
  const allowed = (policy.allowSecretFiles ?? DEFAULT_SECRET_DIRS).map((dir) => resolve(dir))
  const refuse = (): never => {
    const hint =
      policy.allowSecretFiles === undefined
        ? 'Secret files are read under /run/secrets; KMS_ALLOW_SECRET_FILES lists other places.'
        : 'KMS_ALLOW_SECRET_FILES lists where secret files may be.'
    throw kmsError('PolicyViolation', { path: 'master_key_file', hint })
  }
  // By name first, so that nothing outside the allowed places is even looked at; then by where links lead.
  if (!allowed.some((dir) => path !== dir && isWithin(path, dir))) refuse()
  let bytes: Buffer
  try {
    const real = await realpath(path)
    const realDirs = await Promise.all(allowed.map((dir) => realpath(dir).catch(() => dir)))
    if (!realDirs.some((dir) => isWithin(real, dir))) refuse()
    bytes = await readRegularFile(real)
  } catch (error) {
    if (error instanceof Error && 'errno' in error) throw unusable(path, storageReason(error), error)
    throw error
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '')
  } catch (error) {
    throw unusable(path, 'it is not UTF-8 text', error)
  } finally {
    bytes.fill(0)
  }
  if (text === '') throw unusable(path, 'it is empty')
  return text
}

async function readRegularFile(path: string): Promise<Buffer> {
  // Not blocking: opening a named pipe would wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw unusable(path, 'it is not a regular file')
    if (stats.size > MAX_SECRET_BYTES) throw unusable(path, `it is larger than ${MAX_SECRET_BYTES} bytes`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

function unusable(path: string, reason: string, cause?: unknown): Error {
  return kmsError(
    'ValidationError',
    { path: 'master_key_file', reason: `${path} cannot be read: ${reason}` },
    { cause },
  )
}
