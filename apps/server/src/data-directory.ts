import { access, constants, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { settingsError } from './startup-error.ts'

/** Where the server keeps what is its own. */
export interface DataDirectory {
  readonly path: string
  readonly state: string
  readonly canaries: string
  readonly imports: string
  /** Archives that are being received. */
  readonly incoming: string
  readonly rootKeys: string
  /** Buckets and objects. */
  readonly objects: string
  /** Keys of offline copies. */
  readonly offline: string
  /** Whether others than the owner may look into it. */
  readonly open: boolean
}

/** Makes the directory (0700) if it is not there. Throws a `StartupError` when it cannot be used. */
export async function prepareDataDirectory(path: string): Promise<DataDirectory> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
    const { mode } = await stat(path)
    return {
      path,
      state: join(path, 'state'),
      canaries: join(path, 'state', 'canaries'),
      imports: join(path, 'state', 'imports'),
      incoming: join(path, 'incoming'),
      rootKeys: join(path, 'root-keys'),
      objects: join(path, 'objects'),
      offline: join(path, 'state', 'offline'),
      open: (mode & 0o077) !== 0,
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason =
      code === 'EEXIST' || code === 'ENOTDIR' ? 'names something that is not a directory' : `cannot be used (${code})`
    throw settingsError('KMS_DATA_DIR', `${reason}: ${path}`, error)
  }
}
