import { createAuthorizer } from '../src/authorizer.ts'
import { createCredentialStore, type IamCredentialStore } from '../src/credential-store.ts'
import { createIamDirectory, type IamDirectory } from '../src/directory/iam-directory.ts'
import { createIamFile, type IamFile } from '../src/file/iam-file.ts'
import type { Principal } from '../src/principal.ts'
import { createSessions, type SessionCredentials, type Sessions } from '../src/session/sessions.ts'
import { createSts, type Sts } from '../src/session/sts.ts'
import { memoryStore } from './memory-store.ts'

export const T0: number = Date.parse('2026-01-02T03:04:05.678Z')
export const KEY: Uint8Array = Buffer.alloc(32, 7)

/** All of it wired as a server does: root is `root`, the file's users are those of `disk.users`. */
export interface Iam {
  readonly clock: { time: number }
  readonly disk: { users: readonly object[]; policies: readonly object[] }
  readonly file: IamFile
  readonly directory: IamDirectory
  readonly sessions: Sessions
  readonly credentials: IamCredentialStore
  readonly sts: Sts
  /** The principal a long-term access key signs as now. */
  principal(accessKeyId: string): Promise<Principal>
  /** The principal temporary credentials sign as now. */
  temporary(session: SessionCredentials): Promise<Principal>
}

export async function setUpIam(
  options: {
    readonly previousKey?: Uint8Array
    readonly maxCachedTokens?: number
    /** Of the file when the server starts. */
    readonly users?: readonly object[]
  } = {},
): Promise<Iam> {
  const clock = { time: T0 }
  const now = (): number => clock.time
  const disk: Iam['disk'] = { users: options.users ?? [], policies: [] }
  const root = { accessKeyId: 'root', secretAccessKey: 'root-secret' }
  const file = await createIamFile({
    read: async () => JSON.stringify({ format: 1, ...disk }),
    rootAccessKeyId: 'root',
    now,
  })
  const directory = await createIamDirectory({ store: memoryStore(), rootAccessKeyId: 'root', file, now })
  const sessions = createSessions({ ...options, key: KEY, now })
  const credentials = createCredentialStore({ root, directory, file, sessions })
  const sts = createSts({ accounts: credentials, sessions, authorizer: createAuthorizer({ now }) })
  async function principal(accessKeyId: string, token?: string): Promise<Principal> {
    const found = await credentials.find(accessKeyId, token)
    if (found === undefined) throw new Error(`${accessKeyId} was not found`)
    return found.principal
  }
  return {
    clock,
    disk,
    file,
    directory,
    sessions,
    credentials,
    sts,
    principal,
    temporary: (session) => principal(session.accessKeyId, session.sessionToken),
  }
}

export function statement(Effect: 'Allow' | 'Deny', Action: string | readonly string[], Resource = '*'): object {
  return { Effect, Action, Resource }
}

export function policyOf(...statements: readonly object[]): object {
  return { Version: '2012-10-17', Statement: statements }
}
