import { type Condition, parseCondition } from './condition.ts'
import { findDuplicateMember } from './duplicate-member.ts'
import { toGlob } from './glob.ts'
import type { ActionElement, Policy, PrincipalElement, ResourceElement, Statement } from './policy.ts'
import { policyError } from './policy-error.ts'
import { parseTemplate, type Template } from './template.ts'

/** Longest document, in UTF-16 units of its compact JSON: S3's limit for bucket policies, above IAM's for the rest. */
const MAX_LENGTH = 20_480

/** Longest text that is looked at, white space included. */
const MAX_TEXT_LENGTH = 4 * MAX_LENGTH

export interface ParsePolicyOptions {
  /** `identity` (default): attached to a principal, no `Principal`. `resource`: attached to a bucket, `Principal` required. */
  readonly kind?: 'identity' | 'resource'
}

interface Scope {
  readonly kind: 'identity' | 'resource'
  /** Policy variables exist since Version 2012-10-17; in older documents `${` is plain text. */
  readonly variables: boolean
}

/**
 * Reads a policy document: JSON text, or the value it parses to.
 *
 * The grammar is the AWS page "Grammar of the IAM JSON policy language", read strictly: unknown elements, members
 * written twice, values an operator can never match and documents over 20 480 characters are refused. A document
 * without `Version` is 2008-10-17, as with AWS. `Sid`s must differ; an empty one counts as absent.
 *
 * Throws a PolicyError (`code: 'MalformedPolicyDocument'`, `path`) and nothing else.
 */
export function parsePolicy(json: unknown, options: ParsePolicyOptions = {}): Policy {
  const { document, source } = readDocument(json)
  const members = readObject(document, '', ['Version', 'Id', 'Statement'])
  const version = members.has('Version') ? readText(members.get('Version'), 'Version') : '2008-10-17'
  if (version !== '2012-10-17' && version !== '2008-10-17') {
    throw policyError('Version', 'must be "2012-10-17" or "2008-10-17"')
  }
  if (members.has('Id')) readText(members.get('Id'), 'Id')
  if (!members.has('Statement')) throw policyError('', 'has no Statement')
  const scope: Scope = { kind: options.kind ?? 'identity', variables: version === '2012-10-17' }
  const raw = members.get('Statement')
  const statements = Array.isArray(raw)
    ? raw.map((statement, index) => parseStatement(statement, `Statement[${index}]`, scope))
    : [parseStatement(raw, 'Statement', scope)]
  if (statements.length === 0) throw policyError('Statement', 'must hold at least one statement')
  const sids = statements.flatMap((statement) => statement.sid ?? [])
  if (new Set(sids).size !== sids.length) throw policyError('Statement', 'uses one Sid twice; make each unique')
  return { kind: scope.kind, source, statements }
}

function readDocument(json: unknown): { readonly document: unknown; readonly source: string } {
  // Values take the same way as text, so getters, proxies, cycles and deep nesting can do no more than fail here.
  const text = typeof json === 'string' ? json : asJson(() => JSON.stringify(json) ?? '')
  if (text.length > MAX_TEXT_LENGTH) throw policyError('', `is longer than ${MAX_LENGTH} characters`)
  const document: unknown = asJson(() => JSON.parse(text))
  const source = asJson(() => JSON.stringify(document))
  if (source.length > MAX_LENGTH) throw policyError('', `is longer than ${MAX_LENGTH} characters`)
  if (findDuplicateMember(text) !== undefined) throw policyError('', 'writes a member twice in one object; keep one')
  return { document, source }
}

function asJson<Value>(convert: () => Value): Value {
  try {
    return convert()
  } catch {
    throw policyError('', 'is not valid JSON')
  }
}

function parseStatement(value: unknown, path: string, scope: Scope): Statement {
  const members = readObject(value, path, [
    'Sid',
    'Effect',
    'Principal',
    'NotPrincipal',
    'Action',
    'NotAction',
    'Resource',
    'NotResource',
    'Condition',
  ])
  const effect = members.get('Effect')
  if (effect !== 'Allow' && effect !== 'Deny') throw policyError(`${path}.Effect`, 'must be "Allow" or "Deny"')
  return {
    sid: members.has('Sid') ? readText(members.get('Sid'), `${path}.Sid`) || undefined : undefined,
    effect,
    action: parseAction(members, path),
    resource: parseResource(members, path, scope),
    principal: parsePrincipal(members, path, scope),
    conditions: members.has('Condition') ? parseConditions(members.get('Condition'), `${path}.Condition`, scope) : [],
  }
}

const ACTION = /^(?:\*|\*:\*|[a-z0-9-]+:[a-z0-9*?]+)$/i

function parseAction(members: ReadonlyMap<string, unknown>, path: string): ActionElement {
  const name = exactlyOne(members, path, 'Action')
  if (name === undefined) throw policyError(path, 'needs Action or NotAction')
  const globs = readTexts(members.get(name), `${path}.${name}`).map((action) => {
    if (!ACTION.test(action)) throw policyError(`${path}.${name}`, 'must be "*" or service:Action, as in "kms:Decrypt"')
    return toGlob(action === '*:*' ? '*' : action.toLowerCase())
  })
  return { not: name === 'NotAction', globs }
}

function parseResource(members: ReadonlyMap<string, unknown>, path: string, scope: Scope): ResourceElement | undefined {
  const name = exactlyOne(members, path, 'Resource')
  if (name === undefined) {
    if (scope.kind === 'resource') return undefined
    throw policyError(path, 'needs Resource or NotResource; write "Resource": "*" to mean every resource')
  }
  const at = `${path}.${name}`
  return {
    not: name === 'NotResource',
    templates: readTexts(members.get(name), at).map((resource) => parseResourcePattern(resource, at, scope)),
  }
}

function parseResourcePattern(resource: string, path: string, scope: Scope): Template {
  if (resource !== '*' && !resource.startsWith('arn:')) {
    throw policyError(path, 'must be "*" or an ARN, as in "arn:aws:kms:::key/my-key"')
  }
  const options = { path, variables: scope.variables, wildcards: true }
  const template = parseTemplate(resource, options)
  if (resource === '*') return template
  // "arn:aws:sqs" means "arn:aws:sqs:*:*:*:*" (AWS, "Resource": incomplete ARNs). Colons inside ${…} are no fields.
  const fields = template
    .filter((part) => typeof part === 'string')
    .join('')
    .split(':').length
  return fields >= 6 ? template : parseTemplate(resource + ':*'.repeat(6 - fields), options)
}

function parsePrincipal(
  members: ReadonlyMap<string, unknown>,
  path: string,
  scope: Scope,
): PrincipalElement | undefined {
  const name = exactlyOne(members, path, 'Principal')
  if (scope.kind === 'identity') {
    if (name === undefined) return undefined
    throw policyError(`${path}.${name}`, 'belongs in resource policies only; remove it')
  }
  if (name === undefined) throw policyError(path, 'needs Principal or NotPrincipal')
  const at = `${path}.${name}`
  const value = members.get(name)
  if (typeof value === 'string' && value !== '*') throw policyError(at, 'must be "*" or {"AWS": [names]}')
  const names = value === '*' ? ['*'] : readTexts(readObject(value, at, ['AWS']).get('AWS'), `${at}.AWS`)
  return {
    not: name === 'NotPrincipal',
    everyone: names.includes('*'),
    arns: new Set(names.filter((text) => text !== '*').map((text) => parsePrincipalName(text, at))),
  }
}

function parsePrincipalName(text: string, path: string): string {
  // Account ids mean nothing here, so a policy written for AWS or MinIO keeps naming the same user.
  const [, rest] = /^arn:aws:iam::(?:\d{12})?:(root|user\/.+)$/.exec(text) ?? []
  const name = rest ?? (text.startsWith('arn:') ? undefined : `user/${text}`)
  if (name === undefined || /[*?\s]|^user\/$/.test(name)) {
    throw policyError(path, 'must be "*", a user name or arn:aws:iam:::user/<name>; names take no wildcards')
  }
  return `arn:aws:iam:::${name}`
}

function parseConditions(value: unknown, path: string, scope: Scope): Condition[] {
  return readEntries(value, path).flatMap(([operator, block]) => {
    const inside = memberPath(path, operator)
    const keys = readEntries(block, inside)
    if (keys.length === 0) throw policyError(inside, 'names no condition key')
    return keys.map(([key, values]) => {
      const at = memberPath(inside, key)
      if (key === '') throw policyError(at, 'must name a condition key')
      return parseCondition(operator, key, readScalars(values, at), { path: at, variables: scope.variables })
    })
  })
}

function exactlyOne<Name extends string>(
  members: ReadonlyMap<string, unknown>,
  path: string,
  name: Name,
): Name | `Not${Name}` | undefined {
  const not = `Not${name}` as const
  if (members.has(name) && members.has(not)) throw policyError(path, `has both ${name} and ${not}; keep one`)
  return members.has(name) ? name : members.has(not) ? not : undefined
}

/** Names are the author's: those that could garble a log line or a reply are not repeated. */
function memberPath(path: string, name: string): string {
  return /^[\w:/.@-]{1,128}$/.test(name) ? `${path}.${name}` : `${path}[…]`
}

function readEntries(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw policyError(path, 'must be an object')
  const entries = Object.entries(value)
  if (!entries.every(([name]) => name.isWellFormed())) throw policyError(path, 'has a name that is not valid Unicode')
  return entries
}

function readObject(value: unknown, path: string, known: readonly string[]): ReadonlyMap<string, unknown> {
  const entries = readEntries(value, path)
  if (!entries.every(([name]) => known.includes(name))) {
    throw policyError(path, `has an unknown element; allowed here are ${known.join(', ')}`)
  }
  return new Map(entries)
}

function readText(value: unknown, path: string): string {
  if (typeof value !== 'string' || !value.isWellFormed()) throw policyError(path, 'must be a string')
  return value
}

function readTexts(value: unknown, path: string): string[] {
  const texts = (Array.isArray(value) ? value : [value]).map((text) => readText(text, path))
  if (texts.length === 0) throw policyError(path, 'must not be empty')
  return texts
}

/** Condition values may be written as JSON numbers and booleans (AWS grammar, `condition_value`). */
function readScalars(value: unknown, path: string): string[] {
  const values = Array.isArray(value) ? value : [value]
  return readTexts(
    values.map((item) => (typeof item === 'number' || typeof item === 'boolean' ? String(item) : item)),
    path,
  )
}
