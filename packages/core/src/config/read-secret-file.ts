import type { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { kmsError } from '../errors/kms-error.ts'
import { storageReason } from '../state/storage-error.ts'

export interface SecretFileOptions {
  /** The configuration's field that names the file, for errors. */
  readonly field: string
  /** Directories under which the file may be. */
  readonly allowedDirs: readonly string[]
  /** What to do about a refusal; public. */
  readonly hint: string
  /** Largest file that is read; 64 KiB unless given. */
  readonly maxBytes?: number
}

/** Where secret files may be unless the operator of the server says otherwise (contract §0). */
export const DEFAULT_SECRET_DIRS: readonly string[] = ['/run/secrets', '/var/run/secrets']

const MAX_SECRET_BYTES = 65_536

/** Whether `path` is `parent` or below it; both absolute and normalised. */
export function isWithin(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent.endsWith('/') ? parent : `${parent}/`)
}

/**
 * The text of a file that a configuration names. One line break at its end is not part of it. Throws `PolicyViolation`
 * outside the allowed directories, `ValidationError` when there is no such text.
 */
export async function readSecretFile(path: string, options: SecretFileOptions): Promise<string> {
  const { field, hint, maxBytes = MAX_SECRET_BYTES } = options
  const allowed = options.allowedDirs.map((dir) => resolve(dir))
  const refuse = (): never => {
    throw kmsError('PolicyViolation', { path: field, hint })
  }
  const unusable = (reason: string, cause?: unknown): Error =>
    kmsError('ValidationError', { path: field, reason: `${path} cannot be read: ${reason}` }, { cause })

  // By name first, so that nothing outside the allowed places is even looked at; then by where links lead.
  if (!allowed.some((dir) => path !== dir && isWithin(path, dir))) refuse()
  let bytes: Buffer
  try {
    const real = await realpath(path)
    const realDirs = await Promise.all(allowed.map((dir) => realpath(dir).catch(() => dir)))
    if (!realDirs.some((dir) => isWithin(real, dir))) refuse()
    bytes = await readRegularFile(real, maxBytes, unusable)
  } catch (error) {
    if (error instanceof Error && 'errno' in error) throw unusable(storageReason(error), error)
    throw error
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '')
  } catch (error) {
    throw unusable('it is not UTF-8 text', error)
  } finally {
    bytes.fill(0)
  }
  if (text === '') throw unusable('it is empty')
  return text
}

async function readRegularFile(path: string, maxBytes: number, unusable: (reason: string) => Error): Promise<Buffer> {
  // Not blocking: opening a named pipe would wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw unusable('it is not a regular file')
    if (stats.size > maxBytes) throw unusable(`it is larger than ${maxBytes} bytes`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}
