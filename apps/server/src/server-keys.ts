import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServerKey, kmsError, type Secret, type ServerKey, type ServerKeys, writeDurably } from '@kms/core'
import { decodeKeyBytes } from './setting-kinds.ts'
import type { Settings } from './setting-table.ts'
import { exitCodes, settingsError, startupError } from './startup-error.ts'

export interface ServerKeysOptions {
  readonly settings: Pick<Settings, 'KMS_SERVER_KEY' | 'KMS_SERVER_KEY_FILE' | 'KMS_SERVER_KEY_PREVIOUS'>
  readonly dataDirectory: string
  readonly stateDirectory: string
}

export interface FoundServerKeys {
  readonly keys: ServerKeys
  readonly origin: 'KMS_SERVER_KEY' | 'KMS_SERVER_KEY_FILE' | 'file' | 'generated'
}

/**
 * The server key of the settings, else `server.key` of the data directory, else a new one written there, durably, before
 * anything can be sealed under it. Throws `ServerKeyMissing` instead of making one when sealed values exist, a
 * `StartupError` when a key file cannot be used (formats §4).
 */
export async function findServerKeys(options: ServerKeysOptions): Promise<FoundServerKeys> {
  const { KMS_SERVER_KEY_PREVIOUS: previous } = options.settings
  const { current, origin } = await findCurrent(options)
  return { origin, keys: { current, ...(previous === undefined ? {} : { previous: keyOf(previous) }) } }
}

async function findCurrent({
  settings,
  dataDirectory,
  stateDirectory,
}: ServerKeysOptions): Promise<{ current: ServerKey; origin: FoundServerKeys['origin'] }> {
  const { KMS_SERVER_KEY: given, KMS_SERVER_KEY_FILE: file } = settings
  if (given !== undefined) return { current: keyOf(given), origin: 'KMS_SERVER_KEY' }
  if (file !== undefined) {
    return { current: createServerKey(await readGivenKey('KMS_SERVER_KEY_FILE', file)), origin: 'KMS_SERVER_KEY_FILE' }
  }
  const path = join(dataDirectory, 'server.key')
  const stored = await readOptional(path)
  if (stored !== undefined) {
    const bytes = parseKeyFile(stored)
    if (bytes === undefined)
      throw startupError(
        exitCodes.state,
        `${path} is damaged: it must hold 44 characters of base64. Restore it from a backup.`,
      )
    return { current: createServerKey(bytes), origin: 'file' }
  }
  const expected = await sealingKeyOf(stateDirectory)
  if (expected !== undefined) throw kmsError('ServerKeyMissing', { expected, path })
  const bytes = randomBytes(32)
  await writeDurably(path, `${bytes.toString('base64')}\n`, { mode: 0o600, exclusive: true })
  return { current: createServerKey(bytes), origin: 'generated' }
}

/** What archives are sealed with where no passphrase is given; `undefined` without a setting. Throws a `StartupError`. */
export async function findBackupKey(
  settings: Pick<Settings, 'KMS_BACKUP_KEY' | 'KMS_BACKUP_KEY_FILE'>,
): Promise<Buffer | undefined> {
  const { KMS_BACKUP_KEY: given, KMS_BACKUP_KEY_FILE: file } = settings
  if (given !== undefined) return decodeKeyBytes(given.reveal())
  return file === undefined ? undefined : readGivenKey('KMS_BACKUP_KEY_FILE', file)
}

async function readGivenKey(setting: string, file: string): Promise<Buffer> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw settingsError(setting, `cannot be read (${(error as NodeJS.ErrnoException).code})`, error)
  })
  const bytes = parseKeyFile(text)
  if (bytes === undefined) throw settingsError(setting, 'must hold 32 bytes in base64: 44 characters on one line')
  return bytes
}

function keyOf(secret: Secret): ServerKey {
  return createServerKey(decodeKeyBytes(secret.reveal()) as Buffer)
}

function parseKeyFile(text: string): Buffer | undefined {
  return decodeKeyBytes(text.replace(/\r?\n$/, ''))
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw startupError(exitCodes.state, `${path} cannot be read (${code}).`, error)
  }
}

/** A sealed value begins with 0x01 and the 8 bytes of the id of its key; 12 characters of base64 hold both. */
const SEALED_VALUE = /"\$sealed"\s*:\s*"([A-Za-z0-9+/]{12})/

/** The id of the server key that something in the state is sealed under, if anything is. */
async function sealingKeyOf(directory: string): Promise<string | undefined> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.json')) continue
    const match = SEALED_VALUE.exec(await readFile(join(entry.parentPath, entry.name), 'utf8'))
    if (match !== null)
      return Buffer.from(match[1] as string, 'base64')
        .toString('hex')
        .slice(2)
  }
  return undefined
}
