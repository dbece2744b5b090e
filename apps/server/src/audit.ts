import { mkdir } from 'node:fs/promises'
import { type AuditFiles, createAuditFiles, createAuditKey } from '@kms/audit'
import type { ServerKeys } from '@kms/core'
import type { Log } from './log/log.ts'
import { lockDataDirectory } from './server-lock.ts'
import type { Settings } from './setting-table.ts'
import { settingsError } from './startup-error.ts'

export interface AuditOptions {
  readonly settings: Settings
  readonly keys: ServerKeys
  readonly log: Log
}

/** The audit files of this server. */
export interface ServerAudit {
  readonly files: AuditFiles
  /** Writes the last checkpoint and gives the directory back. */
  close(): Promise<void>
}

/**
 * Opens what `KMS_AUDIT_DIR` names; `undefined` when it names nothing. Throws a `StartupError` when the directory cannot be
 * written or another server writes there.
 */
export async function openAudit({ settings, keys, log }: AuditOptions): Promise<ServerAudit | undefined> {
  const { KMS_AUDIT_DIR: directory } = settings
  if (directory === undefined) return undefined
  const key = createAuditKey(keys.current.subkey('audit'))
  const { host, port } = settings.KMS_LISTEN
  const unusable = (error: unknown): never => {
    const code = (error as NodeJS.ErrnoException).code
    if (typeof code !== 'string' || !code.startsWith('E')) throw error
    throw settingsError('KMS_AUDIT_DIR', `${directory} cannot be written (${code})`, error)
  }
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch(unusable)
  const lock = await lockDataDirectory(directory, `${host}:${port}`).catch(unusable)
  try {
    const files = await createAuditFiles({
      directory,
      key,
      sync: settings.KMS_AUDIT_SYNC,
      whenFull: settings.KMS_AUDIT_FULL,
      maxFileBytes: settings.KMS_AUDIT_FILE_MIB * 1024 * 1024,
      dataPercent: settings.KMS_AUDIT_DATA_PERCENT,
      onCheckpoint: ({ chain, seq, head }) => log.event('audit_checkpoint', { chain, seq, head }),
      onTrouble: (reason) => log.event('audit_failing', { reason, policy: settings.KMS_AUDIT_FULL }),
      onRecovered: (missed) => log.event('audit_recovered', { missed }),
    }).catch(unusable)
    log.event('audit_opened', { path: directory, key_id: key.id, public_key: key.publicKey })
    return {
      files,
      async close() {
        await files.close()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}
