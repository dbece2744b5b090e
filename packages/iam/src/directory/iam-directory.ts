import { type Account, type AccountSource, type AccountStatus, createUserAccount } from '../account.ts'
import { cannedPolicies } from '../canned-policies.ts'
import { type CredentialsError, validateUserCredentials } from '../credentials.ts'
import type { IamFile } from '../file/iam-file.ts'
import { iamError } from '../iam-error.ts'
import { parsePolicy } from '../policy/parse-policy.ts'
import type { Policy } from '../policy/policy.ts'
import {
  type DirectoryState,
  decodeIamDocument,
  encodeIamDocument,
  type IamDocument,
  type PolicyRecord,
  type UserRecord,
} from './iam-document.ts'
import { isPolicyName, POLICY_NAME_RULE } from './policy-name.ts'

/** Where users and policies are kept. */
export interface IamStore {
  /** What `save` was last given, or `undefined` when nothing was ever saved. Called once. */
  load(): Promise<IamDocument | undefined>
  /**
   * Keeps the document durably before it resolves; when it rejects, `load` gives the one before. Never called again
   * before it has settled.
   */
  save(document: IamDocument): Promise<void>
}

/** A user, without the secret. */
export interface UserInfo {
  readonly accessKeyId: string
  readonly status: AccountStatus
  /** Names of the attached policies. */
  readonly policies: readonly string[]
  /** `file`: the operator's, who may also have given it an inline policy; not to be changed here. */
  readonly source: 'api' | 'file'
  /** Compact JSON; only users of the file have one. */
  readonly inlinePolicy?: string
  /** Milliseconds since 1970; absent for users of the file. */
  readonly createdAt?: number
  /** When secret or status last changed; absent for users of the file. */
  readonly changedAt?: number
}

/** A policy that can be attached. */
export interface PolicyInfo {
  readonly name: string
  readonly policy: Policy
  /** `canned`: every server has it. Only those of the API can be changed. */
  readonly source: 'canned' | 'file' | 'api'
  /** Milliseconds since 1970; only for `api`. */
  readonly createdAt?: number
  readonly changedAt?: number
}

export interface AddUserRequest {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Default: as it was, for a new user `enabled`. */
  readonly status?: AccountStatus
  /** Default: as they were, for a new user none. */
  readonly policies?: readonly string[]
}

/**
 * Users and policies of the API, beside those of the operator's file and the canned policies. Where a name is in the
 * file as well, the file's counts, and it can't be changed here (`ManagedByFile`). Root is no user and its access key
 * can't become one; canned policies can be neither removed nor replaced (both `ReservedName`). MinIO lets a stored
 * policy replace a canned one; here a canned name means the same everywhere.
 *
 * Changes take effect one after the other, in the order they were asked for, each once it is durable; what was refused
 * or could not be saved changed nothing. They throw IamErrors, and what the store throws.
 *
 * A user one of whose policies has gone (the file no longer has it) is denied everything until it is back or detached:
 * it may have been the one with the denies.
 */
export interface IamDirectory extends AccountSource {
  /**
   * Adds a user or replaces one, as MinIO's add-user does; its sessions end, unless secret and status are as before.
   * `InvalidRequest`, `NoSuchPolicy`, `ReservedName`, `ManagedByFile`.
   */
  addUser(request: AddUserRequest): Promise<UserInfo>
  /** Removes a user; its sessions end. `NoSuchUser`, `ReservedName`, `ManagedByFile`. */
  removeUser(accessKeyId: string): Promise<void>
  /** Enables or disables a user; a change ends its sessions for good. `InvalidRequest`, `NoSuchUser`, `ReservedName`, `ManagedByFile`. */
  setUserStatus(accessKeyId: string, status: AccountStatus): Promise<UserInfo>
  /** Attaches exactly these policies. `NoSuchUser`, `NoSuchPolicy`, `ReservedName`, `ManagedByFile`. */
  setUserPolicies(accessKeyId: string, names: readonly string[]): Promise<UserInfo>
  /** By access key, in the order of its characters. */
  listUsers(): readonly UserInfo[]
  /** `NoSuchUser`. */
  userInfo(accessKeyId: string): UserInfo
  /**
   * Adds a policy or replaces one: JSON text, or the value it parses to. `InvalidRequest` for the name, `ReservedName`,
   * `ManagedByFile`, and a PolicyError for the document.
   */
  addPolicy(name: string, document: unknown): Promise<PolicyInfo>
  /** Removes a policy no user of the API has attached. `NoSuchPolicy`, `PolicyInUse`, `ReservedName`, `ManagedByFile`. */
  removePolicy(name: string): Promise<void>
  /** By name, in the order of its characters. */
  listPolicies(): readonly PolicyInfo[]
  /** `NoSuchPolicy`. */
  policyInfo(name: string): PolicyInfo
}

export interface IamDirectoryOptions {
  readonly store: IamStore
  readonly rootAccessKeyId: string
  readonly file?: IamFile
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
}

const denyEverything = parsePolicy({ Version: '2012-10-17', Statement: { Effect: 'Deny', Action: '*', Resource: '*' } })

/** Loads the directory. Throws what the store throws, and the IamErrors of a document that can't be read. */
export async function createIamDirectory(options: IamDirectoryOptions): Promise<IamDirectory> {
  const { store, rootAccessKeyId, file, now = Date.now } = options
  const stored = await store.load()
  let state: DirectoryState =
    stored === undefined ? { users: new Map(), policies: new Map() } : decodeIamDocument(stored)
  let lastChange = Math.max(0, ...Array.from(state.users.values(), (user) => user.changedAt))
  let accounts = new Map<string, Account>()
  let accountsRevision = file?.revision
  let queue: Promise<unknown> = Promise.resolve()

  /** Runs `plan` on the state all earlier changes left; what it returns is saved and then published. */
  function change<Result>(
    plan: () => { readonly after: DirectoryState; readonly result: () => Result },
  ): Promise<Result> {
    const done = queue.then(async () => {
      const { after, result } = plan()
      if (after !== state) {
        await store.save(encodeIamDocument(after))
        state = after
        accounts = new Map()
      }
      return result()
    })
    queue = done.catch(() => undefined)
    return done
  }

  function changeUser(user: UserRecord): { after: DirectoryState; result: () => UserInfo } {
    const before = state.users.get(user.accessKeyId)
    const after = before !== undefined && sameUser(before, user) ? state : withUser(state, user)
    return { after, result: () => describeUser(user) }
  }

  /** Later than any session of a user that changed before was issued: see `issuedAt` of sessions. */
  function changeTime(): number {
    lastChange = Math.max(now(), lastChange + 1)
    return lastChange
  }

  function requireFreeName(accessKeyId: string): void {
    if (accessKeyId === rootAccessKeyId) {
      throw iamError('ReservedName', 'This is the root access key. It is changed in the settings of the server only.')
    }
    if (file?.users.has(accessKeyId)) {
      throw iamError('ManagedByFile', 'This user is in the file of the operator. Change it there.')
    }
  }

  function requireUser(accessKeyId: string): UserRecord {
    requireFreeName(accessKeyId)
    return state.users.get(accessKeyId) ?? noSuchUser()
  }

  function requirePolicyName(name: string): void {
    if (!isPolicyName(name)) throw iamError('InvalidRequest', `A policy name must be ${POLICY_NAME_RULE}.`)
    if (cannedPolicies.has(name)) {
      throw iamError(
        'ReservedName',
        'Every server has this policy; it can be neither replaced nor removed. Choose another name.',
      )
    }
    if (file?.policies.has(name)) {
      throw iamError('ManagedByFile', 'This policy is in the file of the operator. Change it there.')
    }
  }

  function findPolicy(name: string): Policy | undefined {
    return cannedPolicies.get(name) ?? file?.policies.get(name) ?? state.policies.get(name)?.policy
  }

  function requirePolicies(names: readonly string[]): readonly string[] {
    const unique = [...new Set(names)]
    const missing = unique.find((name) => findPolicy(name) === undefined)
    if (missing !== undefined) {
      const name = isPolicyName(missing) ? `"${missing}"` : 'with a name that breaks the rules'
      throw iamError('NoSuchPolicy', `There is no policy ${name}. Add it first, or name one of the list of policies.`)
    }
    return unique
  }

  function resolve(names: readonly string[]): readonly Policy[] {
    return names.map((name) => findPolicy(name) ?? denyEverything)
  }

  function userInfo(accessKeyId: string): UserInfo {
    const managed = file?.users.get(accessKeyId)
    if (managed !== undefined) {
      const { status, policyNames: policies, inlinePolicy } = managed
      const inline = inlinePolicy === undefined ? {} : { inlinePolicy: inlinePolicy.source }
      return { accessKeyId, status, policies, source: 'file', ...inline }
    }
    const user = accessKeyId === rootAccessKeyId ? undefined : state.users.get(accessKeyId)
    return describeUser(user ?? noSuchUser())
  }

  function policyInfo(name: string): PolicyInfo {
    const canned = cannedPolicies.get(name)
    if (canned !== undefined) return { name, policy: canned, source: 'canned' }
    const managed = file?.policies.get(name)
    if (managed !== undefined) return { name, policy: managed, source: 'file' }
    return describePolicy(state.policies.get(name) ?? noSuchPolicy())
  }

  return {
    addUser: (request) => {
      // What the caller does with its objects while this waits its turn changes nothing.
      const { accessKeyId, secretAccessKey, status, policies } = { ...request, policies: request.policies?.slice() }
      return change(() => {
        requireFreeName(accessKeyId)
        requireCredentials(accessKeyId, secretAccessKey)
        if (status !== undefined) requireStatus(status)
        const names = policies === undefined ? undefined : requirePolicies(policies)
        const before = state.users.get(accessKeyId)
        const user = {
          accessKeyId,
          secret: secretAccessKey,
          status: status ?? before?.status ?? 'enabled',
          policies: names ?? before?.policies ?? [],
        }
        const same = before?.secret === user.secret && before.status === user.status
        const changedAt = same ? before.changedAt : changeTime()
        return changeUser({ ...user, createdAt: before?.createdAt ?? changedAt, changedAt })
      })
    },

    removeUser: (accessKeyId) =>
      change(() => {
        requireUser(accessKeyId)
        const users = new Map(state.users)
        users.delete(accessKeyId)
        return { after: { ...state, users }, result: () => undefined }
      }),

    setUserStatus: (accessKeyId, status) =>
      change(() => {
        requireStatus(status)
        const user = requireUser(accessKeyId)
        return changeUser(user.status === status ? user : { ...user, status, changedAt: changeTime() })
      }),

    setUserPolicies: (accessKeyId, names) => {
      const wanted = names.slice()
      return change(() => changeUser({ ...requireUser(accessKeyId), policies: requirePolicies(wanted) }))
    },

    listUsers: () => {
      const fromFile = Array.from(file?.users.keys() ?? [])
      const own = Array.from(state.users.keys()).filter((name) => name !== rootAccessKeyId && !file?.users.has(name))
      return [...fromFile, ...own].sort().map(userInfo)
    },

    userInfo,

    addPolicy: async (name, document) => {
      const policy = parsePolicy(document)
      return change(() => {
        requirePolicyName(name)
        const before = state.policies.get(name)
        if (before?.policy.source === policy.source) {
          return { after: state, result: () => describePolicy(before) }
        }
        const changedAt = now()
        const record = { name, policy, createdAt: before?.createdAt ?? changedAt, changedAt }
        const policies = new Map(state.policies).set(name, record)
        return { after: { ...state, policies }, result: () => describePolicy(record) }
      })
    },

    removePolicy: (name) =>
      change(() => {
        requirePolicyName(name)
        if (!state.policies.has(name)) noSuchPolicy()
        const users = Array.from(state.users.values()).filter((user) => user.policies.includes(name))
        if (users.length > 0) {
          const one = users.length === 1 ? '1 user' : `${users.length} users`
          throw iamError(
            'PolicyInUse',
            `The policy is attached to ${one}, among them "${users[0]?.accessKeyId}". Detach it first.`,
          )
        }
        const policies = new Map(state.policies)
        policies.delete(name)
        return { after: { ...state, policies }, result: () => undefined }
      }),

    listPolicies: () => {
      const names = new Set([...cannedPolicies.keys(), ...(file?.policies.keys() ?? []), ...state.policies.keys()])
      return [...names].sort().map(policyInfo)
    },

    policyInfo,

    account(accessKeyId) {
      if (file?.revision !== accountsRevision) {
        accounts = new Map()
        accountsRevision = file?.revision
      }
      const known = accounts.get(accessKeyId)
      if (known !== undefined) return known
      const user = state.users.get(accessKeyId)
      if (user === undefined) return undefined
      const account = createUserAccount({
        ...user,
        secretAccessKey: user.secret,
        policies: resolve(user.policies),
      })
      accounts.set(accessKeyId, account)
      return account
    },
  }
}

function withUser(state: DirectoryState, user: UserRecord): DirectoryState {
  return { ...state, users: new Map(state.users).set(user.accessKeyId, user) }
}

function sameUser(a: UserRecord, b: UserRecord): boolean {
  return a.changedAt === b.changedAt && a.policies.join() === b.policies.join()
}

function describeUser({ accessKeyId, status, policies, createdAt, changedAt }: UserRecord): UserInfo {
  return { accessKeyId, status, policies, source: 'api', createdAt, changedAt }
}

function describePolicy({ name, policy, createdAt, changedAt }: PolicyRecord): PolicyInfo {
  return { name, policy, source: 'api', createdAt, changedAt }
}

function requireCredentials(accessKeyId: string, secretAccessKey: string): void {
  try {
    validateUserCredentials({ accessKeyId, secretAccessKey })
  } catch (error) {
    throw iamError('InvalidRequest', `${(error as CredentialsError).message}.`)
  }
}

function requireStatus(status: unknown): void {
  if (status !== 'enabled' && status !== 'disabled') {
    throw iamError('InvalidRequest', 'A status must be "enabled" or "disabled".')
  }
}

function noSuchUser(): never {
  throw iamError('NoSuchUser', 'There is no user of this access key. The list of users shows those there are.')
}

function noSuchPolicy(): never {
  throw iamError('NoSuchPolicy', 'There is no policy of this name. The list of policies shows those there are.')
}
