import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSealedFileStore, type ServerKeys, systemRandom } from '@kms/core'
import {
  createAuthorizer,
  createCredentialStore,
  createIamDirectory,
  createIamFile,
  createSessions,
  createSts,
  type IamCredentialStore,
  type IamDirectory,
  type IamDocument,
  type IamFile,
  isIamError,
  type Sts,
} from '@kms/iam'
import { createChangeWatch } from './change-watch.ts'
import type { Log } from './log/log.ts'
import type { Settings } from './setting-table.ts'
import { exitCodes, settingsError, startupError } from './startup-error.ts'

export interface IdentitiesOptions {
  readonly settings: Settings
  readonly keys: ServerKeys
  /** `<data>/state`. */
  readonly stateDirectory: string
  readonly log: Log
}

/** Everybody the server knows. */
export interface Identities {
  readonly credentials: IamCredentialStore
  readonly directory: IamDirectory
  readonly sts: Sts
  /** Stops looking at the file of users. */
  close(): void
}

/** How soon a changed file of users is noticed. */
const POLL_MS = 2000

/**
 * Root from the settings, users and policies of `<data>/state/iam.json` and of `KMS_IAM_FILE`, and sessions. Throws a
 * `StartupError` for a file or a document that can't be used, and the errors of the sealed file.
 */
export async function openIdentities({ settings, keys, stateDirectory, log }: IdentitiesOptions): Promise<Identities> {
  const rootAccessKeyId = settings.KMS_ROOT_ACCESS_KEY
  const watched =
    settings.KMS_IAM_FILE === undefined ? undefined : await watchIamFile(settings.KMS_IAM_FILE, settings, log)
  const file = watched?.file
  try {
    const stored = await createSealedFileStore({
      path: join(stateDirectory, 'iam.json'),
      document: 'iam',
      purpose: 'iam',
      format: 1,
      what: 'the users and policies',
      keys,
      random: systemRandom,
      secretBinding: bindSecret,
      onRecovered: (message) => log.event('iam_recovered', {}, { message }),
    })
    const directory = await createIamDirectory({
      store: { load: async () => (await stored.load()) as IamDocument | undefined, save: stored.save },
      rootAccessKeyId,
      ...(file === undefined ? {} : { file }),
    })
    const { current, previous } = keys
    const sessions = createSessions({
      key: current.subkey('session'),
      ...(previous === undefined ? {} : { previousKey: previous.subkey('session') }),
    })
    const credentials = createCredentialStore({
      root: { accessKeyId: rootAccessKeyId, secretAccessKey: settings.KMS_ROOT_SECRET_KEY.reveal() },
      directory,
      sessions,
      ...(file === undefined ? {} : { file }),
    })
    const authorizer = createAuthorizer({ compatServerInfo: settings.KMS_COMPAT_SERVER_INFO })
    const sts = createSts({ accounts: credentials, sessions, authorizer })
    return { credentials, directory, sts, close: () => watched?.close() }
  } catch (error) {
    watched?.close()
    if (isIamError(error)) throw startupError(exitCodes.state, error.message, error)
    throw error
  }
}

/** A secret belongs to its access key: under another one it does not open. */
function bindSecret(pointer: string, document: unknown): string | undefined {
  const index = /^\/users\/(\d+)\/secret$/.exec(pointer)?.[1]
  if (index === undefined) return undefined
  return (document as IamDocument).users[Number(index)]?.accessKeyId
}

async function watchIamFile(
  path: string,
  { KMS_ROOT_ACCESS_KEY: rootAccessKeyId }: Settings,
  log: Log,
): Promise<{ readonly file: IamFile; close(): void }> {
  // Before the first reading: a change between the two is noticed.
  const watch = await createChangeWatch(path)
  const file = await createIamFile({
    read: () => readFile(path, 'utf8'),
    rootAccessKeyId,
    onProblem: ({ message: reason }) => log.event('iam_file_kept', { reason }),
  }).catch((error: unknown) => {
    const reason = isIamError(error) ? error.message : `it cannot be read (${(error as NodeJS.ErrnoException).code})`
    throw settingsError('KMS_IAM_FILE', `cannot be used: ${reason}`, error)
  })
  const poll = async (): Promise<void> => {
    if (!(await watch.changed())) return
    if ((await file.reload()) === 'reloaded') log.event('iam_file_reloaded', { users: file.users.size })
  }
  const timer = setInterval(() => void poll(), POLL_MS)
  timer.unref()
  return { file, close: () => clearInterval(timer) }
}
