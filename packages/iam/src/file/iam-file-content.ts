import type { AccountStatus } from '../account.ts'
import { cannedPolicies } from '../canned-policies.ts'
import { type CredentialsError, validateUserCredentials } from '../credentials.ts'
import { isPolicyName, POLICY_NAME_RULE } from '../directory/policy-name.ts'
import { iamError } from '../iam-error.ts'
import type { Policy } from '../policy/policy.ts'
import { createJsonReader, newerFormat } from '../read-json.ts'

/** A user of the operator's file, its policies resolved. */
export interface FileUser {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly status: AccountStatus
  /** Names of the attached policies; the inline one has none. */
  readonly policyNames: readonly string[]
  readonly inlinePolicy: Policy | undefined
  /** The attached policies and the inline one. */
  readonly policies: readonly Policy[]
}

export interface IamFileContent {
  readonly users: ReadonlyMap<string, FileUser>
  readonly policies: ReadonlyMap<string, Policy>
}

/** Longest text, in UTF-16 units. */
const MAX_LENGTH = 8_388_608

const read = createJsonReader((path, problem) => {
  const place = path === '' ? 'The file of users' : path
  return iamError('InvalidIamFile', `${place} ${problem}.`, path)
})

/**
 * Reads the operator's file:
 *
 *     { "format": 1,
 *       "users": [{ "accessKey", "secretKey", "status"?: "enabled" | "disabled", "policies"?: [names], "policy"?: {…} }],
 *       "policies": [{ "name", "document": {…} }] }
 *
 * `users` and `policies` may be absent. Users name policies of this file and canned ones only: those made through the
 * API could be changed by others than the operator. Names are unique; none is the root access key's or a canned
 * policy's.
 *
 * Throws an IamError with the `path` of what is wrong: `InvalidIamFile`, or `UnsupportedFormat` for a newer format.
 */
export function parseIamFile(text: string, options: { readonly rootAccessKeyId: string }): IamFileContent {
  const document = read.parse(text, MAX_LENGTH)
  const newer = newerFormat(document)
  if (newer !== undefined) {
    throw iamError(
      'UnsupportedFormat',
      `The file of users is in format ${newer}; this version reads format 1. Write "format": 1, or run a newer version.`,
      'format',
    )
  }
  const members = read.members(document, '', { required: ['format'], optional: ['users', 'policies'] })
  if (members.get('format') !== 1) throw read.problem('format', 'must be 1')

  const policies = new Map<string, Policy>()
  for (const [index, value] of read.list(members.get('policies') ?? [], 'policies').entries()) {
    const path = `policies[${index}]`
    const { name, policy } = parsePolicyEntry(value, path)
    if (policies.has(name)) throw read.problem(`${path}.name`, 'is the name of an earlier policy')
    policies.set(name, policy)
  }

  const users = new Map<string, FileUser>()
  for (const [index, value] of read.list(members.get('users') ?? [], 'users').entries()) {
    const path = `users[${index}]`
    const user = parseUser(value, path, policies)
    if (user.accessKeyId === options.rootAccessKeyId) throw read.problem(`${path}.accessKey`, 'is the root access key')
    if (users.has(user.accessKeyId)) throw read.problem(`${path}.accessKey`, 'is the access key of an earlier user')
    users.set(user.accessKeyId, user)
  }
  return { users, policies }
}

function parsePolicyEntry(value: unknown, path: string): { readonly name: string; readonly policy: Policy } {
  const members = read.members(value, path, { required: ['name', 'document'] })
  const name = read.string(members.get('name'), `${path}.name`)
  if (!isPolicyName(name)) throw read.problem(`${path}.name`, `must be ${POLICY_NAME_RULE}`)
  if (cannedPolicies.has(name)) throw read.problem(`${path}.name`, 'is the name of a policy every server has')
  return { name, policy: parseDocument(members.get('document'), `${path}.document`) }
}

function parseUser(value: unknown, path: string, policies: ReadonlyMap<string, Policy>): FileUser {
  const members = read.members(value, path, {
    required: ['accessKey', 'secretKey'],
    optional: ['status', 'policies', 'policy'],
  })
  const accessKeyId = read.string(members.get('accessKey'), `${path}.accessKey`)
  const secretAccessKey = read.string(members.get('secretKey'), `${path}.secretKey`)
  checkCredentials(accessKeyId, secretAccessKey, path)
  const status = members.has('status') ? members.get('status') : 'enabled'
  if (status !== 'enabled' && status !== 'disabled') {
    throw read.problem(`${path}.status`, 'must be "enabled" or "disabled"')
  }
  const names = members.has('policies') ? read.list(members.get('policies'), `${path}.policies`) : []
  const attached = new Map<string, Policy>()
  for (const [index, item] of names.entries()) {
    const at = `${path}.policies[${index}]`
    const name = read.string(item, at)
    const policy = policies.get(name) ?? cannedPolicies.get(name)
    if (policy === undefined) throw read.problem(at, 'names neither a policy of this file nor one every server has')
    if (attached.has(name)) throw read.problem(at, 'names a policy twice')
    attached.set(name, policy)
  }
  const inlinePolicy = members.has('policy') ? parseDocument(members.get('policy'), `${path}.policy`) : undefined
  return {
    accessKeyId,
    secretAccessKey,
    status,
    policyNames: [...attached.keys()],
    inlinePolicy,
    policies: inlinePolicy === undefined ? [...attached.values()] : [...attached.values(), inlinePolicy],
  }
}

/** Here a document is an object: as text, members written twice would go unseen by whoever reviews the file. */
function parseDocument(value: unknown, path: string): Policy {
  if (typeof value !== 'object' || value === null) throw read.problem(path, 'must be an object')
  return read.policy(value, path)
}

function checkCredentials(accessKeyId: string, secretAccessKey: string, path: string): void {
  try {
    validateUserCredentials({ accessKeyId, secretAccessKey })
  } catch (error) {
    const isKey = (error as CredentialsError).field === 'accessKeyId'
    throw isKey
      ? read.problem(`${path}.accessKey`, 'must be 3 to 128 printable ASCII characters, no space or comma')
      : read.problem(`${path}.secretKey`, 'must be 8 to 128 characters, without line breaks')
  }
}
