import type { OperationName } from '@kms/client'

/** How the text of an argument or option becomes a value. */
export type ValueKind = 'text' | 'integer' | 'integer-or-never' | 'flag' | 'list' | 'pairs' | 'secret-file'

export interface CommandField {
  /** Of the operation. */
  readonly field: string
  readonly place: 'path' | 'query' | 'body'
  readonly kind: ValueKind
  readonly help: string
  /** Options are `--<name>`; the field's name with dashes unless given. */
  readonly option?: string
}

/** A command that is one call of the admin API. */
export interface CommandSpec {
  readonly words: readonly [string, ...string[]]
  readonly operation: OperationName
  readonly summary: string
  /** In this order behind the words; all of them are needed. */
  readonly args: readonly CommandField[]
  readonly options: readonly CommandField[]
  /** Whether the body is a document, from `--file` and `--set`. */
  readonly document?: true
  /** Whether it is more than one call: what it takes besides, and what it does, is elsewhere (`archive-commands.ts`). */
  readonly own?: true
  /** Whether `--if-match` is taken. */
  readonly conditional?: true
}

const key: CommandField = { field: 'key_id', place: 'body', kind: 'text', help: 'id, alias or ARN of the key' }
const keyOption: CommandField = { ...key, option: 'key' }
const context: CommandField = {
  field: 'encryption_context',
  place: 'body',
  kind: 'pairs',
  option: 'context',
  help: 'name=value, repeatable; authenticated, never secret',
}
const user: CommandField = { field: 'accessKey', place: 'query', kind: 'text', help: 'access key of the user' }
const policy: CommandField = { field: 'name', place: 'query', kind: 'text', help: 'name of the policy' }
const realm: CommandField = { field: 'realm', place: 'path', kind: 'text', help: 'realm of the store' }
const text = (field: string, help: string, option?: string): CommandField => ({
  field,
  place: 'body',
  kind: 'text',
  help,
  ...(option === undefined ? {} : { option }),
})
const dryRun: CommandField = { field: 'dry_run', place: 'query', kind: 'flag', help: 'say what would happen' }
const tags: CommandField = {
  field: 'tags',
  place: 'body',
  kind: 'pairs',
  option: 'tag',
  help: 'name=value, repeatable',
}
const named = [text('key_name', 'id of the key', 'name'), text('description', 'free text'), tags]

/** What the commands of two words are about, by the first. */
export const groupSummaries: ReadonlyMap<string, string> = new Map([
  ['config', 'the configuration, its changes and the way back'],
  ['retired', 'key stores that served before, and still unwrap'],
  ['keys', 'keys and their life'],
  ['data', 'data keys, small secrets, and what was wrapped'],
  ['users', 'users and their access keys'],
  ['policies', 'policies that users can have'],
])

type More = Partial<Omit<CommandSpec, 'words' | 'operation' | 'summary'>>
const command = (words: string, operation: OperationName, summary: string, more: More = {}): CommandSpec => ({
  words: words.split(' ') as [string, ...string[]],
  operation,
  summary,
  args: [],
  options: [],
  ...more,
})

/** Every call of the admin API as a command. */
export const commandTable: readonly CommandSpec[] = [
  command('status', 'getStatus', 'state of the service'),
  command('start', 'start', 'start what is configured', {
    options: [{ field: 'force', place: 'body', kind: 'flag', help: 'open the store anew beside what runs, and swap' }],
  }),
  command('stop', 'stop', 'finish what is under way and stop'),
  command('clear-cache', 'clearCache', 'empty the caches'),
  command('rotate-root', 'rotateRoot', 'give the local key store another root key', {
    document: true,
    options: [dryRun],
  }),
  command('backup', 'backup', 'write a sealed archive of all keys to a file', { own: true }),
  command('restore', 'restore', 'restore an archive, all of it or nothing', {
    own: true,
    options: [dryRun, { field: 'conflict', place: 'query', kind: 'text', help: 'fail, skip or overwrite' }],
  }),
  command('openapi', 'getOpenApiDocument', 'the description of the API'),
  command('config get', 'getConfig', 'the stored configuration, secrets as ***'),
  command('config set', 'configure', 'store a configuration without starting it', {
    document: true,
    conditional: true,
  }),
  command('config change', 'reconfigure', 'change some of it, proven first, while serving', {
    document: true,
    conditional: true,
    options: [
      dryRun,
      {
        field: 'confirm_within',
        place: 'query',
        kind: 'integer',
        help: 'seconds after which it is taken back unless confirmed',
      },
    ],
  }),
  command('config confirm', 'confirm', 'keep a change that waits for it'),
  command('config history', 'getConfigHistory', 'who changed what'),
  command('config rollback', 'rollback', 'go back to a revision of the history', {
    args: [{ field: 'revision', place: 'body', kind: 'integer', help: 'number of the revision' }],
    conditional: true,
  }),
  command('retired list', 'listRetired', 'stores kept only to unwrap'),
  command('retired mend', 'mendRetired', 'change how a retired store is reached', { args: [realm], document: true }),
  command('retired remove', 'removeRetired', 'forget a retired store', {
    args: [realm],
    options: [
      text('confirm_realm', 'the realm once more'),
      { field: 'force', place: 'body', kind: 'flag', help: 'even if it may still be needed' },
    ],
  }),
  command('keys create', 'createKey', 'make a key', { options: [...named, text('key_usage', 'ENCRYPT_DECRYPT')] }),
  command('keys list', 'listKeys', 'keys, ascending by id', {
    options: [
      { field: 'limit', place: 'query', kind: 'integer', help: 'at most so many; all of them unless given' },
      { field: 'marker', place: 'query', kind: 'text', help: 'next_marker of the page before' },
      { field: 'status', place: 'query', kind: 'text', help: 'Enabled, Disabled, PendingDeletion or Unavailable' },
      { field: 'usage', place: 'query', kind: 'text', help: 'ENCRYPT_DECRYPT' },
    ],
  }),
  command('keys describe', 'describeKey', 'what is known of a key', { args: [{ ...key, place: 'path' }] }),
  command('keys rotate', 'rotateKey', 'give a key a new version', { args: [key] }),
  command('keys rotation-period', 'setRotationPeriod', 'rotate a key by itself', {
    args: [key, { field: 'days', place: 'body', kind: 'integer-or-never', help: 'days, or never' }],
  }),
  command('keys enable', 'enableKey', 'let a key wrap again', { args: [key] }),
  command('keys disable', 'disableKey', 'let a key unwrap only', { args: [key] }),
  command('keys set-description', 'updateKeyDescription', 'describe a key', {
    args: [key, text('description', 'free text')],
  }),
  command('keys tag', 'tagKey', 'set tags of a key', { args: [key], options: [tags] }),
  command('keys untag', 'untagKey', 'remove tags of a key', {
    args: [key, { field: 'tag_keys', place: 'body', kind: 'list', help: 'names, separated by commas' }],
  }),
  command('keys add-alias', 'addAlias', 'give a key another name', { args: [text('alias', 'the name'), key] }),
  command('keys remove-alias', 'removeAlias', 'take a name away', {
    args: [text('alias', 'the name')],
    options: [keyOption],
  }),
  command('keys import-parameters', 'getImportParameters', 'a token and a public key to import under', {
    options: [{ field: 'key_name', place: 'query', kind: 'text', option: 'name', help: 'the one key they are for' }],
  }),
  command('keys import', 'importKey', 'make a key of material of your own', {
    options: [
      ...named,
      text('token', 'of import-parameters'),
      text('encrypted_key_material', '32 bytes under its public key, in base64', 'material'),
    ],
  }),
  command('keys delete', 'deleteKey', 'schedule the end of a key', {
    args: [key],
    options: [
      {
        field: 'pending_window_in_days',
        place: 'body',
        kind: 'integer',
        option: 'days',
        help: '7 to 30; 30 unless given',
      },
      { field: 'force_immediate', place: 'body', kind: 'flag', help: 'at once; what it wrapped is lost' },
      text('confirm_key_id', 'the id once more, for --force-immediate'),
    ],
  }),
  command('keys cancel-deletion', 'cancelKeyDeletion', 'keep a key that waits for its end', { args: [key] }),
  command('data generate-key', 'generateDataKey', 'a data key, in plaintext and wrapped', {
    options: [keyOption, text('key_spec', 'AES_256 or AES_128', 'spec'), context],
  }),
  command('data encrypt', 'encrypt', 'wrap up to 4096 bytes', {
    args: [text('plaintext', 'base64')],
    options: [keyOption, context],
  }),
  command('data decrypt', 'decrypt', 'unwrap', {
    args: [text('ciphertext_blob', 'base64')],
    options: [keyOption, context],
  }),
  command('data batch', 'batch', 'many of these at once', { document: true }),
  command('users add', 'addUser', 'add or replace a user', {
    args: [user],
    options: [
      {
        field: 'secretKey',
        place: 'body',
        kind: 'secret-file',
        option: 'secret-file',
        help: 'file with the secret key, - for standard input',
      },
      text('status', 'enabled or disabled'),
      text('policy', 'names of policies, separated by commas'),
    ],
  }),
  command('users list', 'listUsers', 'everybody the API knows'),
  command('users get', 'getUser', 'one user', { args: [user] }),
  command('users remove', 'removeUser', 'remove a user, and end its sessions', { args: [user] }),
  command('users set-status', 'setUserStatus', 'enable or disable a user', {
    args: [user, { field: 'status', place: 'query', kind: 'text', help: 'enabled or disabled' }],
  }),
  command('users set-policy', 'setPolicy', 'give a user these policies and no others', {
    args: [
      { ...user, field: 'userOrGroup' },
      { field: 'policyName', place: 'query', kind: 'text', help: 'names, separated by commas' },
    ],
  }),
  command('policies add', 'addPolicy', 'add or replace a policy', { args: [policy], document: true }),
  command('policies list', 'listPolicies', 'every policy'),
  command('policies get', 'getPolicy', 'one policy', { args: [policy] }),
  command('policies remove', 'removePolicy', 'remove a policy nobody has', { args: [policy] }),
]

/** The name of the option of a field. */
export function optionName({ field, option }: CommandField): string {
  return option ?? field.replaceAll('_', '-')
}
