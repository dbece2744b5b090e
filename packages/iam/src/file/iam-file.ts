import { type Account, type AccountSource, createUserAccount } from '../account.ts'
import { type IamError, iamError } from '../iam-error.ts'
import type { Policy } from '../policy/policy.ts'
import { type FileUser, type IamFileContent, parseIamFile } from './iam-file-content.ts'

/** The operator's users and policies, as the file was when it was last good. */
export interface IamFile extends AccountSource {
  /** Rises whenever the content in use changes. */
  readonly revision: number
  readonly users: ReadonlyMap<string, FileUser>
  readonly policies: ReadonlyMap<string, Policy>
  /**
   * Reads the file again; reloads run one at a time. A file that is gone, unreadable or wrong changes nothing:
   * `onProblem` is told why, once for each different problem, and the last good content stays. Never rejects.
   */
  reload(): Promise<IamFileReload>
}

/** `kept`: the file has a problem, the content before is in use. */
export type IamFileReload = 'unchanged' | 'reloaded' | 'kept'

export interface IamFileOptions {
  /** The whole text of the file. */
  readonly read: () => Promise<string>
  /** The file may not name it. */
  readonly rootAccessKeyId: string
  /** Told what is wrong with a file that was not taken over. Its message quotes no secret. */
  readonly onProblem?: (error: IamError) => void
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
}

/**
 * Loads the operator's file. Throws what `read` throws and the IamErrors of `parseIamFile`: a server should not start
 * with half of its users.
 *
 * The file says nothing of when a secret was set. What is there at the start counts as always there; a user that a
 * reload adds, or whose secret or status it changes, has changed at that moment.
 */
export async function createIamFile(options: IamFileOptions): Promise<IamFile> {
  const { read, rootAccessKeyId, onProblem, now = Date.now } = options
  let text = await read()
  let content = parseIamFile(text, { rootAccessKeyId })
  let accounts = toAccounts(content, () => 0)
  let revision = 1
  let lastChange = 0
  let lastProblem: string | undefined
  let queue: Promise<unknown> = Promise.resolve()

  function keep(error: IamError): IamFileReload {
    if (error.message !== lastProblem) {
      lastProblem = error.message
      onProblem?.(error)
    }
    return 'kept'
  }

  async function takeOver(): Promise<IamFileReload> {
    let fresh: string
    try {
      fresh = await read()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
      return keep(iamError('InvalidIamFile', `The file of users can't be read${code}.`))
    }
    if (fresh === text) {
      lastProblem = undefined
      return 'unchanged'
    }
    let next: IamFileContent
    try {
      next = parseIamFile(fresh, { rootAccessKeyId })
    } catch (error) {
      return keep(error as IamError)
    }
    const time = Math.max(now(), lastChange + 1)
    const before = content.users
    const changedAt = accounts
    accounts = toAccounts(next, (user) => {
      const old = before.get(user.accessKeyId)
      const same = old?.secretAccessKey === user.secretAccessKey && old.status === user.status
      return same ? (changedAt.get(user.accessKeyId)?.changedAt ?? 0) : time
    })
    text = fresh
    content = next
    lastChange = time
    lastProblem = undefined
    revision += 1
    return 'reloaded'
  }

  return {
    get revision() {
      return revision
    },
    get users() {
      return content.users
    },
    get policies() {
      return content.policies
    },
    account: (accessKeyId) => accounts.get(accessKeyId),
    reload() {
      const result = queue.then(takeOver)
      queue = result.catch(() => undefined)
      return result
    },
  }
}

function toAccounts(content: IamFileContent, changedAt: (user: FileUser) => number): ReadonlyMap<string, Account> {
  return new Map(
    Array.from(content.users, ([accessKeyId, user]) => [
      accessKeyId,
      createUserAccount({ ...user, changedAt: changedAt(user) }),
    ]),
  )
}
