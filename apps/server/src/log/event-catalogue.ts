/** The parts of the server that speak; a line's `target` is `rustfs::kms::<part>`. */
type LogPart = 'server' | 'state' | 'iam' | 'manager' | 'admin' | 's3' | 'audit' | 'backend'

export interface EventSpec<Field extends string = string> {
  /** Lines of `backend` name the backend behind it: `rustfs::kms::backend::local`. */
  readonly part: LogPart
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** What the line says, unless it says something of its own. */
  readonly message: string
  /** Every field the line may have besides `level`, `time`, `target`, `event` and `msg`. */
  readonly fields: Readonly<Record<Field, true>>
  /** For the documentation, where the message does not say it all. */
  readonly meaning: string
}

type RequestField =
  | 'request_id'
  | 'operation'
  | 'method'
  | 'path'
  | 'principal'
  | 'access_key_id'
  | 'address'
  | 'key_id'
  | 'status'
  | 'code'
  | 'outcome'
  | 'duration_ms'

type ObjectRequestField = Exclude<RequestField, 'path'> | 'bucket' | 'mode' | 'bytes_in' | 'bytes_out'

type ChangeField =
  | 'principal'
  | 'outcome'
  | 'key_id'
  | 'realm'
  | 'address'
  | 'request_id'
  | 'revision_before'
  | 'revision'
  | 'diff'
  | 'backend'
  | 'duration_ms'

type KeyField = 'principal' | 'address' | 'request_id' | 'key_id' | 'realm'

/** The names of the fields of every event. */
interface EventFieldTable {
  readonly listening: 'address' | 'metrics_address' | 'version' | 'data_directory' | 'tls'
  readonly draining: 'seconds'
  readonly close_cut_off: never
  readonly stopped: never
  readonly tls_reloaded: never
  readonly tls_reload_failed: 'reason'
  readonly default_credentials: never
  readonly bootstrap_ignored: 'settings' | 'reason' | 'revision'
  readonly data_directory_open: 'path'
  readonly server_key_generated: 'path'
  readonly state_recovered: never
  readonly canaries_damaged: never
  readonly offline_keys_unusable: never
  readonly iam_recovered: never
  readonly iam_file_reloaded: 'users'
  readonly iam_file_kept: 'reason'
  readonly iam_changed: RequestField
  readonly kms_configured: ChangeField
  readonly kms_reconfigured: ChangeField
  readonly kms_started: ChangeField
  readonly kms_stopped: ChangeField
  readonly kms_confirmed: ChangeField
  readonly kms_rolled_back: ChangeField
  readonly kms_reverted: ChangeField
  readonly kms_returned: ChangeField
  readonly kms_retired_mended: ChangeField
  readonly kms_retired_removed: ChangeField
  readonly kms_root_rotated: ChangeField
  readonly kms_backed_up: ChangeField
  readonly kms_restored: ChangeField
  readonly kms_unhealthy: ChangeField
  readonly kms_healthy: ChangeField
  readonly kms_change_failed: ChangeField | 'attempted' | 'code'
  readonly kms_warning: ChangeField
  readonly kms_notice: ChangeField
  readonly kms_key_created: KeyField
  readonly kms_key_imported: KeyField
  readonly kms_key_rotated: KeyField
  readonly kms_key_enabled: KeyField
  readonly kms_key_disabled: KeyField
  readonly kms_key_updated: KeyField
  readonly kms_key_deletion_scheduled: KeyField
  readonly kms_key_deletion_cancelled: KeyField
  readonly kms_key_destroyed: KeyField
  readonly request: RequestField
  readonly access_denied: RequestField
  readonly request_failed: 'request_id' | 'error'
  readonly signature_mismatch: 'request_id' | 'canonical_request' | 'string_to_sign'
  readonly object_request: ObjectRequestField
  readonly object_access_denied: ObjectRequestField
  readonly object_request_failed: 'request_id' | 'error'
  readonly object_sweep_failed: 'error'
  readonly audit_opened: 'path' | 'key_id' | 'public_key'
  readonly audit_checkpoint: 'chain' | 'seq' | 'head'
  readonly audit_failing: 'reason' | 'policy'
  readonly audit_recovered: 'missed'
  readonly backend_operation: 'operation' | 'outcome' | 'duration_ms'
  readonly backend_failing: 'operation' | 'outcome'
  readonly backend_recovered: 'operation' | 'failures'
  readonly backend_request: 'request' | 'outcome' | 'duration_ms'
}

export type EventName = keyof EventFieldTable

/** The fields an event may have. */
export type EventFields<N extends EventName> = { readonly [F in EventFieldTable[N]]?: unknown }

const requestFields: Readonly<Record<RequestField, true>> = {
  request_id: true,
  operation: true,
  method: true,
  path: true,
  principal: true,
  access_key_id: true,
  address: true,
  key_id: true,
  status: true,
  code: true,
  outcome: true,
  duration_ms: true,
}

const objectRequestFields: Readonly<Record<ObjectRequestField, true>> = {
  request_id: true,
  operation: true,
  method: true,
  bucket: true,
  principal: true,
  access_key_id: true,
  address: true,
  mode: true,
  key_id: true,
  status: true,
  code: true,
  outcome: true,
  bytes_in: true,
  bytes_out: true,
  duration_ms: true,
}

const changeFields: Readonly<Record<ChangeField, true>> = {
  principal: true,
  outcome: true,
  key_id: true,
  realm: true,
  address: true,
  request_id: true,
  revision_before: true,
  revision: true,
  diff: true,
  backend: true,
  duration_ms: true,
}

const keyFields: Readonly<Record<KeyField, true>> = {
  principal: true,
  address: true,
  request_id: true,
  key_id: true,
  realm: true,
}

/**
 * Every line the server can log, by its `event`. Names, targets and fields are stable: alerts are made of them.
 * `docs/events.md` is held equal to this.
 */
export const eventCatalogue: { readonly [N in EventName]: EventSpec<EventFieldTable[N]> } = {
  listening: {
    part: 'server',
    level: 'info',
    message: 'Listening.',
    fields: { address: true, metrics_address: true, version: true, data_directory: true, tls: true },
    meaning: 'The stored state is loaded, and the service runs if it is meant to and could be started.',
  },
  draining: {
    part: 'server',
    level: 'info',
    message: 'Stopping: requests under way may finish.',
    fields: { seconds: true },
    meaning: 'A signal asked the server to end; readiness says no from now on.',
  },
  close_cut_off: {
    part: 'server',
    level: 'warn',
    message: 'A key store did not close in time.',
    fields: {},
    meaning: 'The backend did not answer while the server ended; nothing is lost by it.',
  },
  stopped: { part: 'server', level: 'info', message: 'Stopped.', fields: {}, meaning: 'Ended in good order.' },
  tls_reloaded: {
    part: 'server',
    level: 'info',
    message: 'The certificate was read again.',
    fields: {},
    meaning: 'New connections use it.',
  },
  tls_reload_failed: {
    part: 'server',
    level: 'error',
    message: 'The certificate could not be read again; the one before stays in use.',
    fields: { reason: true },
    meaning: 'Mend the files and send SIGHUP again.',
  },
  default_credentials: {
    part: 'server',
    level: 'warn',
    message:
      'The root credentials are the default ones; they are taken from programs on this machine only. Set KMS_ROOT_ACCESS_KEY and KMS_ROOT_SECRET_KEY.',
    fields: {},
    meaning: 'Fine on a laptop, nowhere else.',
  },
  bootstrap_ignored: {
    part: 'server',
    level: 'warn',
    message: 'These RUSTFS_KMS_* settings are ignored.',
    fields: { settings: true, reason: true, revision: true },
    meaning: '`disabled`: RUSTFS_KMS_ENABLE is not on. `configured`: a configuration is stored, and wins.',
  },
  data_directory_open: {
    part: 'server',
    level: 'warn',
    message: 'Others than the owner may look into the data directory.',
    fields: { path: true },
    meaning: 'Take their rights away (`chmod 0700`).',
  },
  server_key_generated: {
    part: 'server',
    level: 'info',
    message: 'A server key was generated. Keep a copy of it apart from the data.',
    fields: { path: true },
    meaning: 'Once in the life of a data directory.',
  },
  state_recovered: {
    part: 'state',
    level: 'warn',
    message: 'The stored state was recovered.',
    fields: {},
    meaning: 'The newest file of the state was damaged or half-written; the message says what was used instead.',
  },
  canaries_damaged: {
    part: 'state',
    level: 'warn',
    message: 'A file of canaries is damaged.',
    fields: {},
    meaning: 'What this server remembers of a key store is incomplete; the message says what.',
  },
  offline_keys_unusable: {
    part: 'state',
    level: 'warn',
    message: 'A key of offline copies cannot be used.',
    fields: {},
    meaning: 'Objects of that KMS key do not open while the service is stopped; the message says why.',
  },
  iam_recovered: {
    part: 'iam',
    level: 'warn',
    message: 'The stored users were recovered.',
    fields: {},
    meaning: 'As `state_recovered`, for users and policies.',
  },
  iam_file_reloaded: {
    part: 'iam',
    level: 'info',
    message: 'The users of KMS_IAM_FILE were read again.',
    fields: { users: true },
    meaning: 'They count from now on.',
  },
  iam_file_kept: {
    part: 'iam',
    level: 'error',
    message: 'KMS_IAM_FILE cannot be used; the users it had before stay.',
    fields: { reason: true },
    meaning: 'Mend the file; it is looked at every 2 seconds.',
  },
  iam_changed: {
    part: 'iam',
    level: 'info',
    message: 'Users or policies were changed.',
    fields: requestFields,
    meaning: 'Through the API, by whom; the operation says what.',
  },
  kms_configured: {
    part: 'manager',
    level: 'info',
    message: 'A configuration was stored.',
    fields: changeFields,
    meaning: 'A configuration was stored; it does not serve yet.',
  },
  kms_reconfigured: {
    part: 'manager',
    level: 'info',
    message: 'Another configuration serves.',
    fields: changeFields,
    meaning: 'Another configuration was proven and serves.',
  },
  kms_started: {
    part: 'manager',
    level: 'info',
    message: 'The service started.',
    fields: changeFields,
    meaning: 'The service was started, or recovered by itself.',
  },
  kms_stopped: {
    part: 'manager',
    level: 'info',
    message: 'The service stopped.',
    fields: changeFields,
    meaning: 'The service was stopped on purpose; the configuration stays.',
  },
  kms_confirmed: {
    part: 'manager',
    level: 'info',
    message: 'A change was confirmed.',
    fields: changeFields,
    meaning: 'It would have been taken back otherwise.',
  },
  kms_rolled_back: {
    part: 'manager',
    level: 'info',
    message: 'An earlier configuration serves again.',
    fields: changeFields,
    meaning: 'An operator went back to a revision of the history.',
  },
  kms_reverted: {
    part: 'manager',
    level: 'warn',
    message: 'A change was taken back: nobody confirmed it.',
    fields: changeFields,
    meaning: '`confirm_within` ran out; the configuration before serves.',
  },
  kms_returned: {
    part: 'manager',
    level: 'warn',
    message: 'The service returned to the configuration before.',
    fields: changeFields,
    meaning: 'The first probe after a change failed; it does this once.',
  },
  kms_retired_mended: {
    part: 'manager',
    level: 'info',
    message: 'The connection to a retired store was mended.',
    fields: changeFields,
    meaning: '',
  },
  kms_retired_removed: {
    part: 'manager',
    level: 'warn',
    message: 'A retired store was forgotten.',
    fields: changeFields,
    meaning: 'What it wrapped cannot be opened here any more; the store itself was not touched.',
  },
  kms_root_rotated: {
    part: 'manager',
    level: 'info',
    message: 'The root key of the key store was changed.',
    fields: changeFields,
    meaning: 'The one before opens nothing any more. A re-seal that belongs to it tells of itself as `kms_notice`.',
  },
  kms_backed_up: {
    part: 'manager',
    level: 'info',
    message: 'An archive of the key store was made.',
    fields: changeFields,
    meaning:
      'It was sent to its end: whoever asked for it, `principal`, has all keys of the store with what they sealed it with. The message counts them.',
  },
  kms_restored: {
    part: 'manager',
    level: 'warn',
    message: 'Keys were restored from an archive.',
    fields: changeFields,
    meaning: 'A `kms_notice` before it counts them.',
  },
  kms_unhealthy: {
    part: 'manager',
    level: 'warn',
    message: 'The key store does not do what it must.',
    fields: changeFields,
    meaning: 'A probe of the store in use failed; requests are tried all the same.',
  },
  kms_healthy: {
    part: 'manager',
    level: 'info',
    message: 'The key store does what it must again.',
    fields: changeFields,
    meaning: '',
  },
  kms_change_failed: {
    part: 'manager',
    level: 'warn',
    message: 'A change of the service failed.',
    fields: { ...changeFields, attempted: true, code: true },
    meaning: 'What served before still does. `attempted` is the event it would have been.',
  },
  kms_warning: {
    part: 'manager',
    level: 'warn',
    message: 'Something an operator should know.',
    fields: changeFields,
    meaning: 'The message says it: a canary that could not be kept, a store that did not close, a start that failed.',
  },
  kms_notice: {
    part: 'manager',
    level: 'info',
    message: 'A key store tells of its work in the background.',
    fields: changeFields,
    meaning: 'The message says it: a re-seal that begins or ends, what a restore did.',
  },
  kms_key_created: {
    part: 'manager',
    level: 'info',
    message: 'A key was created.',
    fields: keyFields,
    meaning: '',
  },
  kms_key_imported: {
    part: 'manager',
    level: 'info',
    message: 'A key was made of imported material.',
    fields: keyFields,
    meaning: '',
  },
  kms_key_rotated: {
    part: 'manager',
    level: 'info',
    message: 'A key has a new version.',
    fields: keyFields,
    meaning: 'Wraps use it; the versions before still unwrap.',
  },
  kms_key_enabled: {
    part: 'manager',
    level: 'info',
    message: 'A key was enabled.',
    fields: keyFields,
    meaning: '',
  },
  kms_key_disabled: {
    part: 'manager',
    level: 'info',
    message: 'A key was disabled.',
    fields: keyFields,
    meaning: 'It still unwraps.',
  },
  kms_key_updated: {
    part: 'manager',
    level: 'info',
    message: 'A key was described, tagged or named otherwise.',
    fields: keyFields,
    meaning: 'The message says what changed.',
  },
  kms_key_deletion_scheduled: {
    part: 'manager',
    level: 'warn',
    message: 'A key is to be deleted.',
    fields: keyFields,
    meaning: 'Until then it can be cancelled; it neither wraps nor unwraps.',
  },
  kms_key_deletion_cancelled: {
    part: 'manager',
    level: 'info',
    message: 'The deletion of a key was cancelled.',
    fields: keyFields,
    meaning: '',
  },
  kms_key_destroyed: {
    part: 'manager',
    level: 'warn',
    message: 'A key was destroyed.',
    fields: keyFields,
    meaning: '**What was wrapped by it cannot be opened again.** Without a principal: its waiting period was over.',
  },
  request: {
    part: 'admin',
    level: 'debug',
    message: 'A request was answered.',
    fields: requestFields,
    meaning: 'The access log of the admin plane; `outcome` is `ok`, `denied` (403) or `error`.',
  },
  access_denied: {
    part: 'admin',
    level: 'info',
    message: 'A caller was denied what it asked for.',
    fields: requestFields,
    meaning: 'Its signature was right; its policies do not allow the operation.',
  },
  request_failed: {
    part: 'admin',
    level: 'error',
    message: 'A request failed.',
    fields: { request_id: true, error: true },
    meaning: 'It was answered with 5xx. `error` holds what the caller is not told.',
  },
  signature_mismatch: {
    part: 'admin',
    level: 'debug',
    message: 'A signature does not match what was received.',
    fields: { request_id: true, canonical_request: true, string_to_sign: true },
    meaning: 'What it was compared with, for comparing it with what the client signed; tokens and keys show as `***`.',
  },
  object_request: {
    part: 's3',
    level: 'debug',
    message: 'A request for objects was answered.',
    fields: objectRequestFields,
    meaning:
      'The access log of the S3 plane, without the names of objects; written when the reply has ended. `mode` is how the object is encrypted, `outcome` is `ok`, `denied` (403) or `error`.',
  },
  object_access_denied: {
    part: 's3',
    level: 'info',
    message: 'A caller was denied what it asked for.',
    fields: objectRequestFields,
    meaning:
      'Its signature was right; neither its policies nor those of the bucket allow the operation, or not the KMS key.',
  },
  object_request_failed: {
    part: 's3',
    level: 'error',
    message: 'A request for objects failed.',
    fields: { request_id: true, error: true },
    meaning: 'It was answered with 5xx, or its reply broke off. `error` holds what the caller is not told.',
  },
  object_sweep_failed: {
    part: 's3',
    level: 'warn',
    message: 'Bodies nobody needs any more could not be removed.',
    fields: { error: true },
    meaning: 'They take room; it is tried again.',
  },
  audit_opened: {
    part: 'audit',
    level: 'info',
    message: 'Audit records are kept.',
    fields: { path: true, key_id: true, public_key: true },
    meaning: 'Keep the public key elsewhere: `audit verify` checks the signatures with it.',
  },
  audit_checkpoint: {
    part: 'audit',
    level: 'info',
    message: 'An audit checkpoint was written.',
    fields: { chain: true, seq: true, head: true },
    meaning: 'Keep the head elsewhere: an end that was cut off shows only against it.',
  },
  audit_failing: {
    part: 'audit',
    level: 'error',
    message: 'Audit records cannot be written.',
    fields: { reason: true, policy: true },
    meaning: 'With the policy `block` nothing is done for anybody until they can.',
  },
  audit_recovered: {
    part: 'audit',
    level: 'warn',
    message: 'Audit records are written again.',
    fields: { missed: true },
    meaning: 'So many have no line; a line says so.',
  },
  backend_operation: {
    part: 'backend',
    level: 'debug',
    message: 'An operation on a key store ended.',
    fields: { operation: true, outcome: true, duration_ms: true },
    meaning: '`outcome` is `ok` or a code of the error catalogue.',
  },
  backend_failing: {
    part: 'backend',
    level: 'warn',
    message: 'A key store fails.',
    fields: { operation: true, outcome: true },
    meaning: 'The first failure since it last answered; the ones after it are told at debug only.',
  },
  backend_recovered: {
    part: 'backend',
    level: 'info',
    message: 'A key store answers again.',
    fields: { operation: true, failures: true },
    meaning: 'How many operations failed meanwhile.',
  },
  backend_request: {
    part: 'backend',
    level: 'debug',
    message: 'A request to a peer ended.',
    fields: { request: true, outcome: true, duration_ms: true },
    meaning: 'One attempt: an operation that was retried has several.',
  },
}
