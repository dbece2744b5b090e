import { type Secret, secretField } from '@kms/core'
import { z } from 'zod'
import { absolutePath, vaultPath } from './path-fields.ts'

/** How the server gets its token; exactly one of the four. */
export type AuthMethod =
  | { readonly token: { readonly token: Secret } }
  | { readonly token_file: { readonly path: string } }
  | { readonly approle: AppRoleAuth }
  | { readonly kubernetes: KubernetesAuth }

export interface AppRoleAuth {
  readonly role_id: string
  readonly secret_id?: Secret | undefined
  readonly secret_id_file?: string | undefined
  /** What `secret_id` or its file holds is a response-wrapping token with the secret id in it. */
  readonly secret_id_wrapped: boolean
  readonly mount: string
}

export interface KubernetesAuth {
  readonly role: string
  /** Read again for every login: Kubernetes renews the file. */
  readonly jwt_path: string
  readonly mount: string
}

const text: z.ZodType<string, string> = z.string().min(1, 'must not be empty').max(1024)

export const authMethod: z.ZodType<AuthMethod> = z.union([
  z.strictObject({ token: z.strictObject({ token: secretField() }) }),
  z.strictObject({ token_file: z.strictObject({ path: absolutePath }) }),
  z.strictObject({
    approle: z.strictObject({
      role_id: text,
      secret_id: secretField().optional(),
      secret_id_file: absolutePath.optional(),
      secret_id_wrapped: z.boolean().default(false),
      mount: vaultPath.default('approle'),
    }),
  }),
  z.strictObject({
    kubernetes: z.strictObject({
      role: text,
      jwt_path: absolutePath.default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
      mount: vaultPath.default('kubernetes'),
    }),
  }),
])

const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['Token', 'token'],
  ['TokenFile', 'token_file'],
  ['AppRole', 'approle'],
  ['Kubernetes', 'kubernetes'],
])

/**
 * Brings the accepted spellings into one: `{"Token": …}`, `{"token": "…"}`, and of an AppRole's two places for the secret
 * id the one that is given clears the other. Anything else is returned as it is.
 */
export function canonicalAuthMethod(value: unknown): unknown {
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([spelling, inner]) => {
      const method = SPELLINGS.get(spelling) ?? spelling
      if (method === 'token' && typeof inner === 'string') return [method, { token: inner }]
      return [method, method === 'approle' && isObject(inner) ? withOneSecretId(inner) : inner]
    }),
  )
}

function withOneSecretId(approle: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { secret_id: direct, secret_id_file: file } = approle
  if (typeof file === 'string' && direct === undefined) return { ...approle, secret_id: null }
  if (typeof direct === 'string' && file === undefined) return { ...approle, secret_id_file: null }
  return approle
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is wrong with a method that its schema lets pass. */
export function authMethodDefect(method: AuthMethod): { readonly path: string; readonly reason: string } | undefined {
  if (!('approle' in method)) return undefined
  const { secret_id, secret_id_file, secret_id_wrapped } = method.approle
  if (secret_id !== undefined && secret_id_file !== undefined) {
    return { path: 'auth_method.approle.secret_id_file', reason: 'excludes secret_id: give one of them' }
  }
  if (secret_id_wrapped && secret_id === undefined && secret_id_file === undefined) {
    return { path: 'auth_method.approle.secret_id_wrapped', reason: 'needs a secret_id or a secret_id_file' }
  }
  return undefined
}

/** `auth_method_type` of the summary. */
export function authMethodType(method: AuthMethod): string {
  return Object.keys(method)[0] as string
}

/** Whether the configuration itself holds a credential. */
export function hasStoredCredentials(method: AuthMethod): boolean {
  return 'token' in method || ('approle' in method && method.approle.secret_id !== undefined)
}
