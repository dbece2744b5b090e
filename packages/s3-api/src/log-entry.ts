import type { EncryptionMode } from '@kms/sse'

/** What the S3 API tells its log, as it happens. */
export type S3LogEntry =
  | {
      /** A request was answered, and its reply has ended. */
      readonly event: 'request'
      readonly requestId: string
      /** As AWS calls it; absent where none was found. */
      readonly operation: string | undefined
      readonly method: string
      /** Absent where none was named. What the object is called is not told: names are the clients'. */
      readonly bucket: string | undefined
      /** Absent where nobody was authenticated. */
      readonly principal: string | undefined
      readonly accessKeyId: string | undefined
      readonly address: string | undefined
      /** How the object it read or wrote is encrypted; absent where it got to none. */
      readonly mode: EncryptionMode | undefined
      /** The KMS key that was asked for. */
      readonly keyId: string | undefined
      readonly status: number
      /** Of the error, if there was one; with a status of 200 the reply broke off because of it. */
      readonly code: string | undefined
      /** Of the content of the request, and of the object that was sent. */
      readonly receivedBytes: number
      readonly sentBytes: number
      /** From its head until it could be answered, and until the reply had ended. */
      readonly milliseconds: number
      readonly totalMilliseconds: number
    }
  | {
      /** A request failed with 5xx, or its reply broke off. */
      readonly event: 'failure'
      readonly requestId: string
      /** Private: its text, and that of its causes, may hold anything. */
      readonly error: unknown
    }
