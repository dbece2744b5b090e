import type { ObjectCipher, SseTransport } from '@kms/sse'
import type { Access, Place } from './access/access.ts'
import type { Authenticated } from './access/authenticate.ts'
import type { AuthenticateForm } from './access/form-access.ts'
import type { CallNotes } from './call-notes.ts'
import type { DeclaredDigests } from './request/digests.ts'
import type { HeaderMap } from './request/header-map.ts'
import type { Query } from './request/query.ts'
import type { ReceivedRequest } from './request/received-request.ts'
import type { RequestBody } from './request/request-body.ts'
import type { Bucket, ObjectName, ObjectStore } from './store/object-store.ts'

/** What operations work with. */
export interface S3Services {
  readonly store: ObjectStore
  readonly cipher: ObjectCipher
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly authenticateForm: AuthenticateForm
  /** The region of the server; any when absent. */
  readonly region: string | undefined
}

/** One authenticated request, on its way through an operation. */
export interface S3Call {
  readonly services: S3Services
  readonly requestId: string
  readonly received: ReceivedRequest
  /** By lower-case names; with what stands for `x-amz-` headers in the query of a presigned URL. */
  readonly headers: HeaderMap
  readonly header: (name: string) => string | undefined
  readonly query: Query
  readonly authenticated: Authenticated
  readonly access: Access
  /** Bucket and key of the URL; an empty name for the service. */
  readonly place: Place
  readonly body: RequestBody
  readonly digests: DeclaredDigests
  readonly transport: SseTransport
  readonly notes: CallNotes
}

/** The bucket, which was looked up and is there. */
export function bucketOf({ place }: S3Call): Bucket {
  return place.bucket as Bucket
}

/** Bucket and key. */
export function nameOf({ place }: S3Call): ObjectName {
  return { bucket: place.name, key: place.key as string }
}
