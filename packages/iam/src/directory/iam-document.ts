import type { AccountStatus } from '../account.ts'
import { validateUserCredentials } from '../credentials.ts'
import { iamError } from '../iam-error.ts'
import type { Policy } from '../policy/policy.ts'
import { createJsonReader, newerFormat } from '../read-json.ts'
import { isPolicyName, POLICY_NAME_RULE } from './policy-name.ts'

/**
 * Users and policies as they are stored: plain JSON, in the order they were made. Names are values, never member names.
 * The secrets, and nothing else that is confidential, stand at the JSON pointers `/users/<index>/secret`; an index
 * changes when an earlier user is removed.
 */
export interface IamDocument {
  readonly format: 1
  readonly users: readonly IamDocumentUser[]
  readonly policies: readonly IamDocumentPolicy[]
}

export interface IamDocumentUser {
  readonly accessKeyId: string
  readonly secret: string
  readonly status: AccountStatus
  /** Names, without repetition. Not all need exist: some may be the operator's file's. */
  readonly policies: readonly string[]
  /** RFC 3339, UTC, with milliseconds, as `Date.prototype.toISOString` writes it. */
  readonly createdAt: string
  /** When secret or status last changed. */
  readonly changedAt: string
}

export interface IamDocumentPolicy {
  readonly name: string
  /** The policy as compact JSON text. */
  readonly document: string
  readonly createdAt: string
  readonly changedAt: string
}

/** A user in memory. Times are milliseconds since 1970. */
export interface UserRecord {
  readonly accessKeyId: string
  readonly secret: string
  readonly status: AccountStatus
  readonly policies: readonly string[]
  readonly createdAt: number
  readonly changedAt: number
}

/** A policy in memory. */
export interface PolicyRecord {
  readonly name: string
  readonly policy: Policy
  readonly createdAt: number
  readonly changedAt: number
}

export interface DirectoryState {
  readonly users: ReadonlyMap<string, UserRecord>
  readonly policies: ReadonlyMap<string, PolicyRecord>
}

const read = createJsonReader((path, problem) =>
  iamError(
    'InvalidIamDocument',
    `The stored users and policies can't be read: ${path || 'the document'} ${problem}. Restore them from a backup.`,
    path,
  ),
)

/**
 * Reads a stored document. Throws an IamError: `UnsupportedFormat` for one a newer version wrote, `InvalidIamDocument`
 * with a `path` for a damaged one.
 */
export function decodeIamDocument(document: unknown): DirectoryState {
  const newer = newerFormat(document)
  if (newer !== undefined) {
    throw iamError(
      'UnsupportedFormat',
      `The stored users and policies are in format ${newer}; this version reads format 1. Run the version that wrote them, or a newer one.`,
    )
  }
  const members = read.members(document, '', { required: ['format', 'users', 'policies'] })
  if (members.get('format') !== 1) throw read.problem('format', 'must be 1')
  const users = read.list(members.get('users'), 'users').map((user, index) => decodeUser(user, `users[${index}]`))
  const policies = read
    .list(members.get('policies'), 'policies')
    .map((policy, index) => decodePolicy(policy, `policies[${index}]`))
  return {
    users: unique(users, (user) => user.accessKeyId, 'users'),
    policies: unique(policies, (policy) => policy.name, 'policies'),
  }
}

export function encodeIamDocument(state: DirectoryState): IamDocument {
  return {
    format: 1,
    users: Array.from(state.users.values(), (user) => ({
      ...user,
      policies: [...user.policies],
      createdAt: formatTime(user.createdAt),
      changedAt: formatTime(user.changedAt),
    })),
    policies: Array.from(state.policies.values(), ({ name, policy, createdAt, changedAt }) => ({
      name,
      document: policy.source,
      createdAt: formatTime(createdAt),
      changedAt: formatTime(changedAt),
    })),
  }
}

function decodeUser(value: unknown, path: string): UserRecord {
  const required = ['accessKeyId', 'secret', 'status', 'policies', 'createdAt', 'changedAt']
  const members = read.members(value, path, { required })
  const accessKeyId = read.string(members.get('accessKeyId'), `${path}.accessKeyId`)
  const secret = read.string(members.get('secret'), `${path}.secret`)
  try {
    validateUserCredentials({ accessKeyId, secretAccessKey: secret })
  } catch {
    throw read.problem(path, 'holds credentials that break the rules')
  }
  const status = members.get('status')
  if (status !== 'enabled' && status !== 'disabled') {
    throw read.problem(`${path}.status`, 'must be "enabled" or "disabled"')
  }
  const policies = read
    .list(members.get('policies'), `${path}.policies`)
    .map((name, index) => decodeName(name, `${path}.policies[${index}]`))
  if (new Set(policies).size !== policies.length) throw read.problem(`${path}.policies`, 'names a policy twice')
  return { accessKeyId, secret, status, policies, ...decodeTimes(members, path) }
}

function decodePolicy(value: unknown, path: string): PolicyRecord {
  const members = read.members(value, path, { required: ['name', 'document', 'createdAt', 'changedAt'] })
  const name = decodeName(members.get('name'), `${path}.name`)
  const document = read.string(members.get('document'), `${path}.document`)
  return { name, policy: read.policy(document, `${path}.document`), ...decodeTimes(members, path) }
}

function decodeName(value: unknown, path: string): string {
  const name = read.string(value, path)
  if (!isPolicyName(name)) throw read.problem(path, `must be ${POLICY_NAME_RULE}`)
  return name
}

function decodeTimes(members: ReadonlyMap<string, unknown>, path: string): { createdAt: number; changedAt: number } {
  const createdAt = decodeTime(members.get('createdAt'), `${path}.createdAt`)
  return { createdAt, changedAt: decodeTime(members.get('changedAt'), `${path}.changedAt`) }
}

function decodeTime(value: unknown, path: string): number {
  const text = read.string(value, path)
  const time = Date.parse(text)
  if (Number.isNaN(time) || formatTime(time) !== text) {
    throw read.problem(path, 'must be a time such as 2026-01-02T03:04:05.678Z')
  }
  return time
}

function formatTime(time: number): string {
  return new Date(time).toISOString()
}

function unique<Item>(items: readonly Item[], nameOf: (item: Item) => string, path: string): Map<string, Item> {
  const named = new Map(items.map((item) => [nameOf(item), item]))
  if (named.size !== items.length) throw read.problem(path, 'holds one name twice')
  return named
}
