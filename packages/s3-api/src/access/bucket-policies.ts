import type { Buffer } from 'node:buffer'
import { type Policy, parsePolicy } from '@kms/iam'
import type { Bucket } from '../store/object-store.ts'

/** The name bucket policies are stored under. */
export const POLICY_SETTING = 'policy'

const KEPT = 256

/** Finds the policies of buckets, parsed once for as long as they do not change. */
export interface BucketPolicies {
  of(bucket: Bucket): Policy | undefined
}

export function createBucketPolicies(): BucketPolicies {
  const parsed = new Map<string, { readonly bytes: Buffer; readonly policy: Policy }>()
  return {
    of({ name, settings }) {
      const bytes = settings.get(POLICY_SETTING)
      if (bytes === undefined) return undefined
      const kept = parsed.get(name)
      if (kept?.bytes.equals(bytes)) return kept.policy
      const policy = parsePolicy(JSON.parse(bytes.toString('utf8')), { kind: 'resource' })
      if (parsed.size >= KEPT) parsed.clear()
      parsed.set(name, { bytes, policy })
      return policy
    },
  }
}
