import { type Clock, kmsError } from '@kms/core'
import type { AppRoleAuth, KubernetesAuth } from '../config/auth-method.ts'
import type { Operation } from '../transport/operation.ts'
import type { VaultCaller } from '../transport/vault-caller.ts'
import type { CredentialSource } from './credential-source.ts'
import { type Lease, leaseOf } from './lease.ts'
import type { SecretIdMemory } from './secret-id-memory.ts'

export interface LoginSourceOptions {
  readonly caller: VaultCaller
  readonly clock: Clock
  readonly place: string
  /** Reads a file the configuration names; throws `PolicyViolation`, `ValidationError`. */
  readonly readFile: (path: string, field: string) => Promise<string>
  readonly secretIds: SecretIdMemory
}

/** Logs in as an AppRole. The secret id is read again for every login, from wherever it is. */
export function appRoleSource(auth: AppRoleAuth, options: LoginSourceOptions): CredentialSource {
  const field = auth.secret_id_file === undefined ? 'auth_method.approle' : 'auth_method.approle.secret_id_file'
  return {
    name: 'approle',
    ours: true,
    field,
    async obtain(operation) {
      const { role_id, secret_id, secret_id_file, secret_id_wrapped, mount } = auth
      const given = secret_id_file === undefined ? secret_id?.reveal() : await options.readFile(secret_id_file, field)
      const secretId =
        secret_id_wrapped && given !== undefined ? await unwrap(operation, given.trim(), auth, options) : given
      const body = { role_id, ...(secretId === undefined ? {} : { secret_id: secretId }) }
      const refusal = 'role_id or secret_id is wrong, expired, or used up'
      return logIn(operation, mount, body, { field, refusal }, options)
    },
  }
}

/** Logs in with the service account's token, which Kubernetes renews in its file. */
export function kubernetesSource(auth: KubernetesAuth, options: LoginSourceOptions): CredentialSource {
  const field = 'auth_method.kubernetes'
  return {
    name: 'kubernetes',
    ours: true,
    field,
    async obtain(operation) {
      const jwt = (await options.readFile(auth.jwt_path, `${field}.jwt_path`)).trim()
      const refusal = 'the role does not exist, or does not admit this service account'
      return logIn(operation, auth.mount, { role: auth.role, jwt }, { field, refusal }, options)
    },
  }
}

async function logIn(
  operation: Operation,
  mount: string,
  body: Readonly<Record<string, string>>,
  { field, refusal }: { readonly field: string; readonly refusal: string },
  { caller, clock, place }: LoginSourceOptions,
): Promise<Lease> {
  const askedAt = clock.now()
  // A secret id may be good for so many logins: none is sent again that may have counted.
  const reply = await caller.call(operation, {
    request: 'login',
    method: 'POST',
    path: ['auth', mount, 'login'],
    body,
    once: true,
  })
  const auth = (reply.body['auth'] ?? {}) as Readonly<Record<string, unknown>>
  const token = auth['client_token']
  if (reply.status !== 200 || typeof token !== 'string' || token === '') {
    const reason =
      reply.status === 404
        ? `no auth method is mounted at auth/${mount}`
        : reply.status === 403
          ? `${refusal}, or the login is not allowed from here`
          : refusal
    throw kmsError('CredentialsRefused', { path: field, store: place, reason })
  }
  return leaseOf(token, auth['lease_duration'], auth['renewable'], askedAt)
}

/**
 * Takes the secret id out of a response-wrapping token, after looking where it came from: one that was made elsewhere, or
 * opened before, means that somebody stands between (Vault, "Response wrapping", on validating `creation_path`).
 */
async function unwrap(
  operation: Operation,
  wrappingToken: string,
  { mount }: AppRoleAuth,
  { caller, place, secretIds }: LoginSourceOptions,
): Promise<string> {
  const known = secretIds.get(wrappingToken)
  if (known !== undefined) return known.reveal()
  const path = 'auth_method.approle.secret_id'
  const refuse = (reason: string): Error => kmsError('CredentialsRefused', { path, store: place, reason })
  const looked = await caller.call(operation, {
    request: 'unwrap-secret-id',
    method: 'POST',
    path: ['sys/wrapping/lookup'],
    body: { token: wrappingToken },
  })
  const { creation_path: createdAt } = (looked.body['data'] ?? {}) as { readonly creation_path?: unknown }
  if (looked.status !== 200 || typeof createdAt !== 'string') {
    throw refuse('the wrapping token has expired or was opened already; if not by this server, find out by whom')
  }
  const role = createdAt.startsWith(`auth/${mount}/role/`) ? createdAt.slice(`auth/${mount}/role/`.length) : ''
  if (!/^[^/]+\/secret-id$/.test(role)) throw refuse('the wrapping token does not hold a secret id of this auth method')
  const opened = await caller.call(
    operation,
    { request: 'unwrap-secret-id', method: 'POST', path: ['sys/wrapping/unwrap'], once: true },
    wrappingToken,
  )
  const { secret_id: secretId } = (opened.body['data'] ?? {}) as { readonly secret_id?: unknown }
  if (opened.status !== 200 || typeof secretId !== 'string') throw refuse('the wrapping token could not be opened')
  secretIds.set(wrappingToken, secretId)
  return secretId
}
