import { describe, expect, it } from 'vitest'
import { createAuthorizer } from './authorizer.ts'
import { cannedPolicies } from './canned-policies.ts'
import { parsePolicy } from './policy/parse-policy.ts'

const keyManagement = [
  'kms:CreateKey',
  'kms:EnableKey',
  'kms:DisableKey',
  'kms:RotateKey',
  'kms:DeleteKey',
  'kms:UpdateKeyDescription',
  'kms:TagResource',
  'kms:UntagResource',
  'kms:CreateAlias',
  'kms:DeleteAlias',
]
const service = ['kms:Configure', 'kms:ServiceControl', 'kms:ClearCache', 'kms:Backup', 'kms:Restore', 'kms:ImportKey']
const crypto = ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey']
const diagnostics = [
  'admin:Prometheus',
  'admin:Profiling',
  'admin:ServerTrace',
  'admin:ConsoleLog',
  'admin:TopLocksInfo',
]
const everything = [
  ...keyManagement,
  ...service,
  ...crypto,
  ...diagnostics,
  'kms:ListKeys',
  'kms:DescribeKey',
  'admin:ServerInfo',
  'admin:CreateUser',
  's3:GetObject',
  's3:GetBucketLocation',
  's3:PutObject',
  's3:DeleteObject',
  's3:CreateBucket',
]

/** What each policy allows of `everything`; the rest it must not. */
const matrix: Readonly<Record<string, readonly string[]>> = {
  readwrite: ['s3:GetObject', 's3:GetBucketLocation', 's3:PutObject', 's3:DeleteObject', 's3:CreateBucket'],
  readonly: ['s3:GetObject', 's3:GetBucketLocation'],
  writeonly: ['s3:PutObject'],
  diagnostics,
  consoleAdmin: everything,
  KMSKeyAdministrator: [...keyManagement, 'kms:ListKeys', 'kms:DescribeKey'],
  KMSKeyUser: [...crypto, 'kms:DescribeKey'],
  KMSAuditor: ['kms:ListKeys', 'kms:DescribeKey'],
}

it('are the ones of the matrix', () => {
  expect([...cannedPolicies.keys()]).toEqual(Object.keys(matrix))
})

describe.each(Object.entries(matrix))('%s', (name, allowed) => {
  const policies = [cannedPolicies.get(name) ?? expect.fail()]
  const principal = { kind: 'user', name: 'ann', policies } as const

  it.each(everything)('%s', (action) => {
    const resource = action.startsWith('s3:') ? 'arn:aws:s3:::b/x' : 'arn:aws:kms:::key/k'
    const isAdmin = action.startsWith('admin:')
    const decision = createAuthorizer().authorize(principal, { action, ...(!isAdmin && { resource }) })
    expect(decision.allowed).toBe(allowed.includes(action))
  })

  it('shows a document that reads back as itself', () => {
    expect(parsePolicy(policies[0]?.source)).toEqual(policies[0])
  })
})
