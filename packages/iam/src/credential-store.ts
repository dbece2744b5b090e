import type { Account, AccountSource } from './account.ts'
import { type CredentialStore, type Credentials, createRootCredential } from './credentials.ts'
import type { IamDirectory } from './directory/iam-directory.ts'
import type { IamFile } from './file/iam-file.ts'
import type { Sessions } from './session/sessions.ts'

/** Finds root, the users of the operator's file, those of the API, and their sessions. */
export interface IamCredentialStore extends CredentialStore, AccountSource {
  /** Root, else the file's user, else the API's; disabled ones too. */
  account(accessKeyId: string): Account | undefined
}

export interface CredentialStoreOptions {
  readonly root: Credentials
  readonly directory: IamDirectory
  /** The file `directory` knows as well. */
  readonly file?: IamFile
  readonly sessions: Sessions
}

/**
 * The credential store of a server with users. Each look-up sees users, policies and files as they are at that moment;
 * what does not change between two of them is not made again. A disabled user is not found, as an unknown one, so that
 * nobody learns which access keys exist. Throws a CredentialsError for a root of the wrong shape.
 */
export function createCredentialStore(options: CredentialStoreOptions): IamCredentialStore {
  const { directory, file, sessions } = options
  const credential = createRootCredential(options.root)
  const root: Account = Object.freeze({ status: 'enabled', changedAt: 0, credential })
  const rootAccessKeyId = credential.principal.name

  function account(accessKeyId: string): Account | undefined {
    if (accessKeyId === rootAccessKeyId) return root
    return file?.account(accessKeyId) ?? directory.account(accessKeyId)
  }

  return {
    account,
    find(accessKeyId, sessionToken) {
      if (sessionToken !== undefined) return sessions.find(accessKeyId, sessionToken, account)
      const found = account(accessKeyId)
      return found?.status === 'enabled' ? found.credential : undefined
    },
  }
}
