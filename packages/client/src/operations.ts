/** How an operation goes over the wire. */
export interface OperationSpec {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below `/rustfs/admin/v3`; `{name}` is filled from the request's `path`. */
  readonly path: string
  /** Names of query parameters. */
  readonly query: readonly string[]
  /** Names of the fields of the body; `any` for a document of the caller's; absent without a body. */
  readonly body?: readonly string[] | 'any'
  /**
   * Whether it may be sent again when nobody knows whether it was done: it changes nothing, or doing it twice is doing it
   * once.
   */
  readonly repeatable: boolean
}

export type OperationName =
  | 'getStatus'
  | 'configure'
  | 'reconfigure'
  | 'confirm'
  | 'rollback'
  | 'start'
  | 'stop'
  | 'getConfig'
  | 'getConfigHistory'
  | 'clearCache'
  | 'listRetired'
  | 'mendRetired'
  | 'removeRetired'
  | 'rotateRoot'
  | 'backup'
  | 'restore'
  | 'createKey'
  | 'listKeys'
  | 'describeKey'
  | 'rotateKey'
  | 'setRotationPeriod'
  | 'enableKey'
  | 'disableKey'
  | 'updateKeyDescription'
  | 'tagKey'
  | 'untagKey'
  | 'addAlias'
  | 'removeAlias'
  | 'getImportParameters'
  | 'importKey'
  | 'deleteKey'
  | 'cancelKeyDeletion'
  | 'generateDataKey'
  | 'encrypt'
  | 'decrypt'
  | 'batch'
  | 'addUser'
  | 'removeUser'
  | 'listUsers'
  | 'getUser'
  | 'setUserStatus'
  | 'addPolicy'
  | 'listPolicies'
  | 'getPolicy'
  | 'removePolicy'
  | 'setPolicy'
  | 'getOpenApiDocument'

const read = (path: string, query: readonly string[] = []): OperationSpec => ({
  method: 'GET',
  path,
  query,
  repeatable: true,
})
const use = (path: string, body: readonly string[]): OperationSpec => ({
  method: 'POST',
  path,
  query: [],
  body,
  repeatable: true,
})
const change = (
  method: OperationSpec['method'],
  path: string,
  { query = [], body }: Partial<Pick<OperationSpec, 'query' | 'body'>> = {},
): OperationSpec => ({ method, path, query, ...(body === undefined ? {} : { body }), repeatable: false })

/** Every operation of the admin API, by its `operationId`; a test of the server holds this equal to its OpenAPI document. */
export const operations: Readonly<Record<OperationName, OperationSpec>> = {
  getStatus: read('/kms/status'),
  configure: change('POST', '/kms/configure', { body: 'any' }),
  reconfigure: change('POST', '/kms/reconfigure', { query: ['dry_run', 'confirm_within'], body: 'any' }),
  confirm: change('POST', '/kms/confirm'),
  rollback: change('POST', '/kms/rollback', { body: ['revision'] }),
  start: change('POST', '/kms/start', { body: ['force'] }),
  stop: change('POST', '/kms/stop'),
  getConfig: read('/kms/config'),
  getConfigHistory: read('/kms/config/history'),
  clearCache: change('POST', '/kms/clear-cache'),
  listRetired: read('/kms/retired'),
  mendRetired: change('POST', '/kms/retired/{realm}', { body: 'any' }),
  removeRetired: change('DELETE', '/kms/retired/{realm}', { body: ['confirm_realm', 'force'] }),
  rotateRoot: change('POST', '/kms/rotate-root', { query: ['dry_run'], body: 'any' }),
  backup: change('POST', '/kms/backup', { body: ['passphrase'] }),
  restore: change('POST', '/kms/restore', { query: ['dry_run', 'conflict'] }),
  createKey: change('POST', '/kms/keys', { body: ['key_name', 'key_usage', 'description', 'tags'] }),
  listKeys: read('/kms/keys', ['limit', 'marker', 'status', 'usage']),
  describeKey: read('/kms/keys/{key_id}'),
  rotateKey: change('POST', '/kms/keys/rotate', { body: ['key_id'] }),
  setRotationPeriod: change('POST', '/kms/keys/rotation-period', { body: ['key_id', 'days'] }),
  enableKey: change('POST', '/kms/keys/enable', { body: ['key_id'] }),
  disableKey: change('POST', '/kms/keys/disable', { body: ['key_id'] }),
  updateKeyDescription: change('POST', '/kms/keys/update-description', { body: ['key_id', 'description'] }),
  tagKey: change('POST', '/kms/keys/tag', { body: ['key_id', 'tags'] }),
  untagKey: change('POST', '/kms/keys/untag', { body: ['key_id', 'tag_keys'] }),
  addAlias: change('POST', '/kms/keys/alias', { body: ['key_id', 'alias'] }),
  removeAlias: change('DELETE', '/kms/keys/alias', { body: ['key_id', 'alias'] }),
  getImportParameters: read('/kms/keys/import-parameters', ['key_name']),
  importKey: change('POST', '/kms/keys/import', {
    body: ['key_name', 'description', 'tags', 'token', 'encrypted_key_material'],
  }),
  deleteKey: change('DELETE', '/kms/keys/delete', {
    body: ['key_id', 'pending_window_in_days', 'force_immediate', 'confirm_key_id'],
  }),
  cancelKeyDeletion: change('POST', '/kms/keys/cancel-deletion', { body: ['key_id'] }),
  generateDataKey: use('/kms/generate-data-key', ['key_id', 'key_spec', 'encryption_context']),
  encrypt: use('/kms/encrypt', ['key_id', 'plaintext', 'encryption_context']),
  decrypt: use('/kms/decrypt', ['ciphertext_blob', 'key_id', 'encryption_context']),
  batch: use('/kms/batch', ['items']),
  addUser: change('PUT', '/add-user', { query: ['accessKey'], body: ['secretKey', 'status', 'policy'] }),
  removeUser: change('DELETE', '/remove-user', { query: ['accessKey'] }),
  listUsers: read('/list-users'),
  getUser: read('/user-info', ['accessKey']),
  setUserStatus: change('PUT', '/set-user-status', { query: ['accessKey', 'status'] }),
  addPolicy: change('PUT', '/add-canned-policy', { query: ['name'], body: 'any' }),
  listPolicies: read('/list-canned-policies'),
  getPolicy: read('/info-canned-policy', ['name']),
  removePolicy: change('DELETE', '/remove-canned-policy', { query: ['name'] }),
  setPolicy: change('PUT', '/set-policy', { query: ['policyName', 'userOrGroup', 'isGroup'] }),
  getOpenApiDocument: read('/openapi.json'),
}
