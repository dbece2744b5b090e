import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { TlsMaterial } from './http-server.ts'
import type { SettingName, Settings } from './setting-table.ts'
import { settingsError } from './startup-error.ts'

/** Reads the certificate and key the settings name, if any. Throws a `StartupError` when they cannot be used. */
export async function readTlsMaterial(
  settings: Pick<Settings, 'KMS_TLS_CERT' | 'KMS_TLS_KEY'>,
): Promise<TlsMaterial | undefined> {
  const { KMS_TLS_CERT: certFile, KMS_TLS_KEY: keyFile } = settings
  if (certFile === undefined || keyFile === undefined) return undefined
  const [cert, key] = await Promise.all([readPem('KMS_TLS_CERT', certFile), readPem('KMS_TLS_KEY', keyFile)])
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw settingsError('KMS_TLS_CERT', 'and KMS_TLS_KEY are not a certificate in PEM and its key', error)
  }
  return { cert, key }
}

async function readPem(name: SettingName, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw settingsError(
      name,
      `names a file that cannot be read (${(error as NodeJS.ErrnoException).code}): ${file}`,
      error,
    )
  }
}
