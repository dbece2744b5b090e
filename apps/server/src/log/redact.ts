import { REDACTED } from '@kms/core'

/** Names, in lower case and without `-` and `_`, whose text is never shown, whoever put it into a line. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'authorization',
  'clientkey',
  'cookie',
  'jwt',
  'masterkey',
  'newpassphrase',
  'passphrase',
  'password',
  'plaintext',
  'plaintextkey',
  'privatekey',
  'secret',
  'secretaccesskey',
  'secretid',
  'secretkey',
  'serverkey',
  'sessiontoken',
  'token',
  'xamzsecuritytoken',
  'xkmsarchivepassphrase',
  'xvaulttoken',
])

/** Secrets that betray themselves: tokens of Vault and OpenBao, private keys in PEM, signatures. */
const SECRET_TEXT =
  /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|(?<=Signature=)[0-9a-f]{64}/g

const MAX_DEPTH = 8

/**
 * Fields of a line without what must not be in one. Secrets are not supposed to come here: this is the net below those who
 * write lines, not their leave to be careless.
 */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(fields, 0)
}

/** Text without secrets that betray themselves. */
export function redactText(text: string): string {
  return text.replace(SECRET_TEXT, REDACTED)
}

function redactObject(value: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, isSecretName(name) ? hide(inner) : redactValue(inner, depth)]),
  )
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if ('toJSON' in value) return value
  if (depth >= MAX_DEPTH) return '…'
  return Array.isArray(value) ? value.map((inner) => redactValue(inner, depth + 1)) : redactObject(value, depth + 1)
}

function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replace(/[-_]/g, ''))
}

/** Whether something is there is no secret. */
function hide(value: unknown): unknown {
  return typeof value === 'boolean' || value === null || value === undefined ? value : REDACTED
}
