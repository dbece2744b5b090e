import { z } from '@hono/zod-openapi'
import { kmsError } from '@kms/core'
import type { PolicyInfo } from '@kms/iam'
import { type BodyShape, isJsonObject } from '../request/read-json.ts'
import { successReply, time } from './reply-schemas.ts'
import { defineRoute, type Route } from './route.ts'
import { namedQuery } from './user-query.ts'

/** The policy engine reads it: its grammar is AWS's. */
const policyDocument: BodyShape = {
  schema: z
    .looseObject({ Version: z.string(), Statement: z.unknown().openapi({ type: 'array', items: { type: 'object' } }) })
    .openapi('PolicyDocument', { description: "A policy in AWS's grammar." }),
  read(json) {
    if (isJsonObject(json)) return json
    throw kmsError('ValidationError', { path: 'body', reason: 'must be a JSON object' })
  },
}

const policyReply = z
  .strictObject({
    policy_name: z.string(),
    policy: policyDocument.schema,
    source: z.enum(['canned', 'file', 'api']).openapi({ description: 'Only those of the API can be changed.' }),
    create_date: time.optional(),
    update_date: time.optional(),
  })
  .openapi('Policy')

const done = successReply({})

export const addPolicyRoute: Route = defineRoute({
  operation: 'addPolicy',
  summary: 'Add a policy, or replace one',
  methods: ['PUT'],
  paths: ['/add-canned-policy'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:CreatePolicy'],
  query: namedQuery('name'),
  body: policyDocument,
  reply: done,
  indented: true,
  lifecycle: false,
  async handle({ directory, query, body }) {
    await directory().addPolicy(query, body)
    return { body: { success: true, message: 'Policy stored.' } }
  },
})

export const listPoliciesRoute: Route = defineRoute({
  operation: 'listPolicies',
  summary: 'Policies by name',
  methods: ['GET'],
  paths: ['/list-canned-policies'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:GetPolicy'],
  reply: z.record(z.string(), policyDocument.schema),
  indented: true,
  lifecycle: false,
  handle({ directory }) {
    const policies = directory()
      .listPolicies()
      .map(({ name, policy }) => [name, JSON.parse(policy.source)])
    return { body: Object.fromEntries(policies) as object }
  },
})

export const policyInfoRoute: Route = defineRoute({
  operation: 'getPolicy',
  summary: 'One policy',
  methods: ['GET'],
  paths: ['/info-canned-policy'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:GetPolicy'],
  query: namedQuery('name'),
  reply: policyReply,
  indented: true,
  lifecycle: false,
  handle: ({ directory, query }) => ({ body: describePolicy(directory().policyInfo(query)) }),
})

export const removePolicyRoute: Route = defineRoute({
  operation: 'removePolicy',
  summary: 'Remove a policy no user has attached',
  methods: ['DELETE'],
  paths: ['/remove-canned-policy'],
  minioPaths: [],
  scope: 'service',
  permission: ['admin:DeletePolicy'],
  query: namedQuery('name'),
  reply: done,
  indented: true,
  lifecycle: false,
  async handle({ directory, query }) {
    await directory().removePolicy(query)
    return { body: { success: true, message: 'Policy removed.' } }
  },
})

function describePolicy({ name, policy, source, createdAt, changedAt }: PolicyInfo): object {
  return {
    policy_name: name,
    policy: JSON.parse(policy.source) as unknown,
    source,
    ...(createdAt === undefined ? {} : { create_date: new Date(createdAt).toISOString() }),
    ...(changedAt === undefined ? {} : { update_date: new Date(changedAt).toISOString() }),
  }
}
