/** What the S3 API tells its log, as it happens. */
export type S3LogEntry =
  | {
      /** A request was answered. */
      readonly event: 'request'
      readonly requestId: string
      /** As AWS calls it; absent where none was found. */
      readonly operation: string | undefined
      readonly method: string
      /** As it was sent, without the query. */
      readonly path: string
      /** Absent where nobody was authenticated. */
      readonly principal: string | undefined
      readonly accessKeyId: string | undefined
      readonly address: string | undefined
      readonly status: number
      /** Of the error, if there was one. */
      readonly code: string | undefined
      readonly milliseconds: number
    }
  | {
      /** A request failed with 5xx, or its reply broke off. */
      readonly event: 'failure'
      readonly requestId: string
      /** Private: its text, and that of its causes, may hold anything. */
      readonly error: unknown
    }
