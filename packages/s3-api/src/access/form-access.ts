import { type Authorizer, anonymousPrincipal, type StoredCredential } from '@kms/iam'
import type { ContentLengthRange, Verifier } from '@kms/sigv4'
import type { CallNotes } from '../call-notes.ts'
import type { ReceivedRequest } from '../request/received-request.ts'
import { type Access, createAccess } from './access.ts'
import type { Authenticated, Authenticator, Guard } from './authenticate.ts'
import type { BucketPolicies } from './bucket-policies.ts'
import { requestFacts } from './request-facts.ts'

/** Who sent a form, and what they may do. */
export interface FormAccess {
  readonly authenticated: Authenticated
  readonly access: Access
  /** Sizes of file the form's policy allows; any when absent. */
  readonly contentLengthRange: ContentLengthRange | undefined
}

/** A form on its way in: all of it but the file. */
export interface SignedForm {
  readonly received: ReceivedRequest
  /** As sent. */
  readonly fields: ReadonlyMap<string, string>
  /** By lower-case names. */
  readonly headers: ReadonlyMap<string, string>
  readonly bucket: string
  /** After `${filename}` was replaced. */
  readonly key: string
  /** Learns who sent it. */
  readonly notes: CallNotes
}

/** Proves who sent a form. Throws the errors of signatures, users and the guard, and `SlowDown`. */
export type AuthenticateForm = (form: SignedForm) => Promise<FormAccess>

export interface FormAccessOptions {
  readonly verifier: Verifier<StoredCredential>
  readonly authenticator: Authenticator
  readonly guard: Guard | undefined
  readonly authorizer: Authorizer
  readonly policies: BucketPolicies
  readonly now: () => number
}

export function createFormAccess(options: FormAccessOptions): AuthenticateForm {
  const { verifier, authenticator, guard, authorizer, policies, now } = options
  return async ({ received, fields, headers, bucket, key, notes }) => {
    const peer = authenticator.peer(received)
    const verified = await verifier.verifyPostPolicy(fields, { bucket, key }).catch((error: unknown) => {
      const [accessKeyId = ''] = (headers.get('x-amz-credential') ?? '').split('/')
      throw authenticator.throttled(error, accessKeyId, peer)
    })
    const principal = verified.kind === 'signed' ? verified.credentials.principal : anonymousPrincipal
    if (verified.kind === 'signed') guard?.(received, principal, peer)
    const authenticated = { principal, peer }
    notes.authenticated = authenticated
    const facts = new Map(requestFacts({ authenticated, headers, query: new Map(), now: now() }))
    if (verified.kind === 'signed') facts.set('s3:authType', ['POST']).set('s3:signatureversion', ['AWS4-HMAC-SHA256'])
    return {
      authenticated,
      access: createAccess({ authorizer, policies, authenticated, facts, notes }),
      contentLengthRange: verified.kind === 'signed' ? verified.contentLengthRange : undefined,
    }
  }
}
