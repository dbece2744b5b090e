import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import type { AddUserRequest, UserInfo } from '@kms/iam'
import { objectBody } from '../request/read-json.ts'
import { successReply, time } from './reply-schemas.ts'
import { defineRoute, type Route } from './route.ts'
import { namedQuery, readNames, readOptional, readStatus } from './user-query.ts'

const text = z.string('must be a string')
const userStatus = z.enum(['enabled', 'disabled'])

/** RustFS's and MinIO's names, and where a user comes from. Never its secret. */
const userReply = z
  .strictObject({
    status: userStatus,
    policyName: z.string().openapi({ description: 'Attached policies, separated by commas.' }),
    source: z.enum(['api', 'file']).openapi({ description: 'file: of KMS_IAM_FILE, not to be changed here.' }),
    inlinePolicy: z.unknown().optional().openapi({ type: 'object', description: 'Only users of KMS_IAM_FILE.' }),
    createdAt: time.optional(),
    updatedAt: time.optional().openapi({ description: 'When secret or status last changed.' }),
  })
  .openapi('User')

const done = successReply({})

export const addUserRoute: Route = defineRoute({
  operation: 'addUser',
  summary: 'Add a user, or replace the secret of one; policy needs admin:AttachUserOrGroupPolicy too',
  methods: ['PUT'],
  paths: ['/add-user'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:CreateUser'],
  query: namedQuery('accessKey', '3 to 128 printable ASCII characters, no space or comma'),
  body: objectBody(
    z.strictObject({
      secretKey: text.openapi({ writeOnly: true, description: '8 to 128 characters.' }),
      status: text.nullish().openapi({ example: 'enabled', description: 'Absent: as it was, for a new user enabled.' }),
      policy: text.nullish().openapi({ description: 'Names, separated by commas. Absent: as they were.' }),
    }),
  ),
  reply: done,
  indented: true,
  lifecycle: false,
  async handle({ directory, query: accessKeyId, body, alsoRequire }) {
    const request: { -readonly [F in keyof AddUserRequest]: AddUserRequest[F] } = {
      accessKeyId,
      secretAccessKey: body.secretKey,
    }
    const wanted = readOptional(body.status)
    if (wanted !== undefined) request.status = readStatus(wanted)
    const policy = readOptional(body.policy)
    if (policy !== undefined) {
      // Otherwise whoever may make users could make one that may do anything.
      alsoRequire(['admin:AttachUserOrGroupPolicy'])
      request.policies = readNames(policy)
    }
    await directory().addUser(request)
    return { body: { success: true, message: 'User stored.' } }
  },
})

export const removeUserRoute: Route = defineRoute({
  operation: 'removeUser',
  summary: 'Remove a user and end its sessions',
  methods: ['DELETE'],
  paths: ['/remove-user'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:DeleteUser'],
  query: namedQuery('accessKey'),
  reply: done,
  indented: true,
  lifecycle: false,
  async handle({ directory, query }) {
    await directory().removeUser(query)
    return { body: { success: true, message: 'User removed; its sessions have ended.' } }
  },
})

export const listUsersRoute: Route = defineRoute({
  operation: 'listUsers',
  summary: 'Users by access key, without root and without secrets',
  methods: ['GET'],
  paths: ['/list-users'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:ListUsers'],
  reply: z.record(z.string(), userReply),
  indented: true,
  lifecycle: false,
  handle({ directory }) {
    const users = directory()
      .listUsers()
      .map((user) => [user.accessKeyId, describeUser(user)])
    return { body: Object.fromEntries(users) as object }
  },
})

export const userInfoRoute: Route = defineRoute({
  operation: 'getUser',
  summary: 'One user, without its secret',
  methods: ['GET'],
  paths: ['/user-info'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:GetUser'],
  query: namedQuery('accessKey'),
  reply: userReply,
  indented: true,
  lifecycle: false,
  handle: ({ directory, query }) => ({ body: describeUser(directory().userInfo(query)) }),
})

const RIGHT_TO_SET = { enabled: 'admin:EnableUser', disabled: 'admin:DisableUser' } as const

export const setUserStatusRoute: Route = defineRoute({
  operation: 'setUserStatus',
  summary: 'Enable (admin:EnableUser) or disable (admin:DisableUser) a user; a change ends its sessions',
  methods: ['PUT'],
  paths: ['/set-user-status'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:EnableUser', 'admin:DisableUser'],
  query: {
    schema: z.strictObject({ accessKey: z.string(), status: userStatus }),
    read: (query) => ({
      accessKeyId: namedQuery('accessKey').read(query),
      status: readStatus(namedQuery('status').read(query)),
    }),
  },
  reply: done,
  indented: true,
  lifecycle: false,
  async handle({ directory, query, alsoRequire }) {
    alsoRequire([RIGHT_TO_SET[query.status]])
    await directory().setUserStatus(query.accessKeyId, query.status)
    return { body: { success: true, message: `User ${query.status}.` } }
  },
})

export const setPolicyRoute: Route = defineRoute({
  operation: 'setPolicy',
  summary: 'Attach exactly these policies to a user; an empty policyName detaches all',
  methods: ['PUT'],
  paths: ['/set-policy', '/set-user-or-group-policy'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:AttachUserOrGroupPolicy'],
  query: {
    schema: z.strictObject({
      policyName: z.string().openapi({ description: 'Names, separated by commas.' }),
      userOrGroup: z.string(),
      isGroup: z.enum(['true', 'false']).optional().openapi({ description: 'There are no groups: true is 501.' }),
    }),
    read(query) {
      const isGroup = query.get('isGroup') ?? 'false'
      if (isGroup !== 'true' && isGroup !== 'false') {
        throw kmsError('ValidationError', { path: 'isGroup', reason: 'must be true or false' })
      }
      const names = query.get('policyName')
      if (names === undefined) {
        throw kmsError('ValidationError', { path: 'policyName', reason: 'is required; empty, it detaches all' })
      }
      return {
        accessKeyId: namedQuery('userOrGroup').read(query),
        names: readNames(names),
        isGroup: isGroup === 'true',
      }
    },
  },
  reply: done,
  indented: true,
  lifecycle: false,
  async handle({ directory, query }) {
    if (query.isGroup) {
      throw kmsError('UnsupportedOperation', { reason: 'There are no groups here. Attach policies to users.' })
    }
    await directory().setUserPolicies(query.accessKeyId, query.names)
    return { body: { success: true, message: 'Policies attached.' } }
  },
})

function describeUser({ status, policies, source, inlinePolicy, createdAt, changedAt }: UserInfo): object {
  return {
    status,
    policyName: policies.join(','),
    source,
    ...(inlinePolicy === undefined ? {} : { inlinePolicy: JSON.parse(inlinePolicy) as unknown }),
    ...(createdAt === undefined ? {} : { createdAt: new Date(createdAt).toISOString() }),
    ...(changedAt === undefined ? {} : { updatedAt: new Date(changedAt).toISOString() }),
  }
}
