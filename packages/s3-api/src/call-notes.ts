import type { Decisions } from '@kms/core/internal'
import type { EncryptionMode } from '@kms/sse'
import type { Authenticated } from './access/authenticate.ts'
import type { RequestBody } from './request/request-body.ts'

/** What becomes known of a request on its way, for those who watch: log, metrics, audit. */
export interface CallNotes {
  /** Who sent it, once that was proved. */
  authenticated: Authenticated | undefined
  bucket: string | undefined
  /** How the object it reads or writes is encrypted; of a copy, the one that is made. */
  mode: EncryptionMode | undefined
  /** The KMS key that was last asked for. */
  keyId: string | undefined
  /** Its content, once somebody may read it. */
  body: Pick<RequestBody, 'received'> | undefined
  readonly decisions: Decisions
  /** Called before anything is done that needs a record. Throws `AuditUnavailable`. */
  readonly admit: () => void
}
