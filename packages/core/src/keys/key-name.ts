import { kmsError } from '../errors/kms-error.ts'

const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?$/

/** Words of our own routes under `/kms/keys/`, which therefore name no key. */
const ROUTE_WORDS: ReadonlySet<string> = new Set([
  'delete',
  'cancel-deletion',
  'enable',
  'disable',
  'rotate',
  'update-description',
  'tag',
  'untag',
  'rotation-period',
  'alias',
  'import',
  'import-parameters',
])

/** Whether `text` can name a key or an alias: 1–128 of `A-Z a-z 0-9 . _ -`, not dotted at either end, no `..`, no route word. */
export function isKeyName(text: string): boolean {
  return NAME.test(text) && !text.includes('..') && !ROUTE_WORDS.has(text)
}

/** What a caller called a key. */
export interface KeyReference {
  /** A key id or an alias, without its wrapping. */
  readonly name: string
  /** Set when the spelling says which of the two it is. */
  readonly kind?: 'key' | 'alias'
}

/**
 * Reads every spelling of a key: id, alias, `alias/<name>`, `arn:aws:kms:<region>:<account>:key/<id>` and
 * `arn:aws:kms:<region>:<account>:alias/<name>` (AWS KMS Developer Guide, "Key identifiers").
 * Throws `ValidationError` at `path` when it is none of them.
 */
export function parseKeyReference(text: string, path = 'key_id'): KeyReference {
  let kind: KeyReference['kind']
  let name = text
  if (text.startsWith('arn:')) {
    const arn = /^arn:aws[a-z-]*:kms:[^:/]*:[^:/]*:(key|alias)\/(.+)$/.exec(text)
    if (arn === null) throw invalidReference(path)
    kind = arn[1] as 'key' | 'alias'
    name = arn[2] as string
  } else if (text.startsWith('alias/')) {
    kind = 'alias'
    name = text.slice('alias/'.length)
  }
  if (!isKeyName(name)) throw invalidReference(path)
  return kind === undefined ? { name } : { name, kind }
}

function invalidReference(path: string): Error {
  return kmsError('ValidationError', {
    path,
    reason: 'must be a key id, an alias, alias/<name> or a KMS ARN; names have 1 to 128 of A-Z a-z 0-9 . _ -',
  })
}
