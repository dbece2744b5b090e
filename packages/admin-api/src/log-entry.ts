import type { SigV4Computation } from '@kms/sigv4'
import type { RouteEffect } from './routes/route-effect.ts'

/** What the API tells its log, as it happens. */
export type AdminLogEntry =
  | {
      /** A request was answered. */
      readonly event: 'request'
      readonly requestId: string
      /** `operationId`; absent where no route was found. */
      readonly operation: string | undefined
      /** The first permission that gates the operation; absent where no route was found, and of STS. */
      readonly action: string | undefined
      /** What the operation does; absent where no route was found, and of STS. */
      readonly effect: RouteEffect | undefined
      readonly method: string
      /** As it was sent, without the query. */
      readonly path: string
      /** Absent where nobody was authenticated. */
      readonly principal: string | undefined
      readonly accessKeyId: string | undefined
      readonly address: string | undefined
      /** The key the caller's rights were checked on, by its id. */
      readonly keyId: string | undefined
      readonly status: number
      /** Of the error, if there was one. */
      readonly code: string | undefined
      readonly milliseconds: number
    }
  | {
      /** A request failed with 5xx. */
      readonly event: 'failure'
      readonly requestId: string
      /** Private: its text, and that of its causes, may hold anything. */
      readonly error: unknown
    }
  | {
      /** A signature did not match, and `debugSignatures` is on. */
      readonly event: 'signature'
      readonly requestId: string
      /** Holds header values. */
      readonly computed: SigV4Computation
    }
