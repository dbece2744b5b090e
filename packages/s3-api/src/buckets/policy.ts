import { isPublicPolicy, parsePolicy } from '@kms/iam'
import { arnOf } from '../access/access.ts'
import { POLICY_SETTING } from '../access/bucket-policies.ts'
import type { Operation } from '../operation.ts'
import { document, element } from '../reply/xml-writer.ts'
import { readSmallBody } from '../request/request-body.ts'
import { bucketOf, type S3Call } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'

const LARGEST_BYTES = 20_480

function storedPolicy(call: S3Call): string {
  const bytes = bucketOf(call).settings.get(POLICY_SETTING)
  if (bytes === undefined) throw s3Error('NoSuchBucketPolicy', { details: { BucketName: bucketOf(call).name } })
  return bytes.toString('utf8')
}

export const getBucketPolicy: Operation = {
  name: 'GetBucketPolicy',
  action: 's3:GetBucketPolicy',
  handle: (call) => ({ headers: [['content-type', 'application/json']], text: storedPolicy(call) }),
}

export const putBucketPolicy: Operation = {
  name: 'PutBucketPolicy',
  action: 's3:PutBucketPolicy',
  changesBucket: true,
  async handle(call) {
    const bytes = await readSmallBody(call.body, LARGEST_BYTES, call.digests)
    const json = parseJson(bytes)
    // Throws MalformedPolicy.
    parsePolicy(json, { kind: 'resource' })
    requireOwnResources(json, bucketOf(call).name)
    await call.services.store.putBucketSetting(bucketOf(call).name, POLICY_SETTING, bytes)
    return { status: 204 }
  },
}

export const deleteBucketPolicy: Operation = {
  name: 'DeleteBucketPolicy',
  action: 's3:DeleteBucketPolicy',
  changesBucket: true,
  async handle(call) {
    await call.services.store.putBucketSetting(bucketOf(call).name, POLICY_SETTING, undefined)
    return { status: 204 }
  },
}

export const getBucketPolicyStatus: Operation = {
  name: 'GetBucketPolicyStatus',
  action: 's3:GetBucketPolicyStatus',
  handle(call) {
    const policy = parsePolicy(JSON.parse(storedPolicy(call)), { kind: 'resource' })
    return { text: document('PolicyStatus', element('IsPublic', isPublicPolicy(policy))) }
  },
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown
  } catch {
    throw malformed('Policies must be valid JSON')
  }
}

/**
 * A policy speaks of its own bucket (Amazon S3 User Guide, "Bucket policies"): a statement about another would do nothing there, and whoever wrote it
 * thinks it does.
 */
function requireOwnResources(json: unknown, bucket: string): void {
  const own = arnOf(bucket)
  const statements = [(json as { readonly Statement?: unknown }).Statement].flat() as readonly Record<string, unknown>[]
  for (const statement of statements) {
    for (const resource of [statement['Resource'], statement['NotResource']].flat()) {
      if (resource === undefined || resource === own) continue
      if (typeof resource === 'string' && resource.startsWith(`${own}/`)) continue
      throw malformed('Policy has invalid resource')
    }
  }
}

function malformed(message: string): Error {
  return s3Error('MalformedPolicy', message)
}
