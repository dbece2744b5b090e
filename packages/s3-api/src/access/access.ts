import { type Authorize, kmsError } from '@kms/core'
import type { Authorizer } from '@kms/iam'
import type { CallNotes } from '../call-notes.ts'
import { s3Error } from '../s3-error.ts'
import type { Bucket } from '../store/object-store.ts'
import type { Authenticated } from './authenticate.ts'
import type { BucketPolicies } from './bucket-policies.ts'
import { withFacts } from './request-facts.ts'

type Facts = Iterable<readonly [string, readonly string[]]>

/** Decides for one request. */
export interface Access {
  /** On a bucket, or an object in it; `bucket` brings its policy. Throws `AccessDenied`. */
  require(action: string, place: Place, more?: Facts): void
  allows(action: string, place: Place, more?: Facts): boolean
  /**
   * Whether the caller could do this to an object of the bucket, as far as that can be told without its key: to choose between two
   * refusals. Throws `AccessDenied`.
   */
  requireSomeObject(action: string, place: Place): void
  /** On all buckets. Throws `AccessDenied`. */
  requireService(action: string): void
  /** The right to use KMS keys, to be asked once their ids are known. Root passes, everyone else needs a policy. */
  kms(action: 'kms:GenerateDataKey' | 'kms:Decrypt', place: Place): KeyRights
}

/** Who answers for the use of a KMS key. Both note it; both throw `AuditUnavailable` where that cannot be kept. */
export interface KeyRights {
  /** The caller does. Throws `AccessDenied`. */
  readonly authorize: Authorize
  /** The service does, for objects whose key no caller names (SSE-S3). */
  readonly ownUse: Authorize
}

export interface Place {
  readonly name: string
  /** Absent when there is none of that name. */
  readonly bucket: Bucket | undefined
  readonly key?: string
}

export interface AccessOptions {
  readonly authorizer: Authorizer
  readonly policies: BucketPolicies
  readonly authenticated: Authenticated
  readonly facts: ReadonlyMap<string, readonly string[]>
  readonly notes: CallNotes
}

export function createAccess({ authorizer, policies, authenticated, facts, notes }: AccessOptions): Access {
  const { principal } = authenticated

  function allows(action: string, { name, bucket, key }: Place, more: Facts = []): boolean {
    const resource = arnOf(name, key)
    const resourcePolicy = bucket === undefined ? undefined : policies.of(bucket)
    return authorizer.authorize(principal, {
      action,
      resource,
      context: withFacts(facts, more),
      ...(resourcePolicy === undefined ? {} : { resourcePolicy }),
    }).allowed
  }

  function denied(action: string): Error {
    notes.decisions.add(action, undefined, false)
    return refusal(action)
  }

  function noteKey(action: string, keyId: string, allowed: boolean): void {
    notes.keyId = keyId
    notes.decisions.add(action, keyId, allowed)
    if (allowed) notes.admit()
  }

  return {
    allows,
    require(action, place, more) {
      if (!allows(action, place, more)) throw denied(action)
    },
    requireSomeObject(action, place) {
      if (authorizer.mayOnSomeResource(principal, action, facts)) return
      if (!allows(action, { ...place, key: '*' })) throw denied(action)
    },
    requireService(action) {
      if (!authorizer.authorize(principal, { action, context: facts }).allowed) throw denied(action)
    },
    kms: (action, { name, key }) => ({
      authorize(keyId) {
        const resource = `arn:aws:kms:::key/${keyId}`
        const context = withFacts(facts, [
          ['kms:EncryptionContext:aws:s3:arn', [arnOf(name, key)]],
          ['kms:EncryptionContextKeys', ['aws:s3:arn']],
        ])
        const { allowed } = authorizer.authorize(principal, { action, resource, context })
        noteKey(action, keyId, allowed)
        if (allowed) return
        throw kmsError('AccessDenied', {
          reason: `This needs ${action} on the KMS key, which the caller's policies do not allow.`,
        })
      },
      ownUse: (keyId) => noteKey(action, keyId, true),
    }),
  }
}

export function arnOf(bucket: string, key?: string): string {
  return key === undefined ? `arn:aws:s3:::${bucket}` : `arn:aws:s3:::${bucket}/${key}`
}

/** The refusal; the same whether nothing allows the operation or something forbids it. */
function refusal(action: string): Error {
  return s3Error('AccessDenied', `This needs ${action}, which neither the caller's policies nor the bucket's allow.`)
}
