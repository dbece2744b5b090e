import type { Principal } from './principal.ts'
import { createStoredCredential, type StoredCredential } from './stored-credential.ts'

/** An access key and its secret. */
export interface Credentials {
  /** 3–128 printable ASCII characters without space and comma. */
  readonly accessKeyId: string
  /** 8–128 characters, none of them a control character. */
  readonly secretAccessKey: string
}

/** The directory of access keys. */
export interface CredentialStore {
  /**
   * The credential of an access key, or `undefined` for one that is unknown or disabled; a long-term key has no session
   * token, so with one it is not found. A store of sessions throws an IamError for a token it refuses: `ExpiredToken`,
   * else `InvalidTokenId`. Takes no account of the secret: comparing signatures, at equal cost for unknown keys, is the
   * caller's.
   */
  find(accessKeyId: string, sessionToken?: string): StoredCredential | undefined | Promise<StoredCredential | undefined>
}

/** Credentials that break the rules. The message never quotes the secret. */
export interface CredentialsError extends Error {
  readonly code: 'InvalidCredentials'
  readonly field: keyof Credentials
}

/** What a fresh installation uses; the server takes them on loopback only. */
export function isDefaultCredentials(credentials: Credentials): boolean {
  return credentials.accessKeyId === 'admin' && credentials.secretAccessKey === 'admin'
}

/**
 * Checks the shape of credentials that are about to be stored; the default ones pass although their secret is short.
 * Commas end the access key in an Authorization header and anything but ASCII does not survive one, so such a key
 * could never sign. Throws a CredentialsError (`code: 'InvalidCredentials'`, `field`).
 */
export function validateCredentials(credentials: Credentials): void {
  if (!isDefaultCredentials(credentials)) validateUserCredentials(credentials)
}

/** As `validateCredentials`, but the default credentials are refused like any others: they are for root alone. */
export function validateUserCredentials(credentials: Credentials): void {
  const { accessKeyId, secretAccessKey } = credentials
  if (!/^[!-+\--~]{3,128}$/.test(accessKeyId)) {
    throw credentialsError(
      'accessKeyId',
      'An access key must be 3 to 128 printable ASCII characters, no space or comma',
    )
  }
  if (!secretAccessKey.isWellFormed() || !/^\P{Cc}{8,128}$/u.test(secretAccessKey)) {
    throw credentialsError('secretAccessKey', 'A secret key must be 8 to 128 characters, without line breaks')
  }
}

/**
 * The credential store of a server with one principal, root, named after its access key. Throws a CredentialsError for
 * credentials of the wrong shape.
 */
export function createRootCredentials(credentials: Credentials): CredentialStore {
  const root = createRootCredential(credentials)
  const accessKeyId = root.principal.name
  return {
    find: (candidate, sessionToken) => (candidate === accessKeyId && sessionToken === undefined ? root : undefined),
  }
}

/** Root as `find` returns it. Throws a CredentialsError. */
export function createRootCredential(credentials: Credentials): StoredCredential {
  validateCredentials(credentials)
  const { accessKeyId, secretAccessKey } = credentials
  const policies = Object.freeze([])
  const principal: Principal = Object.freeze({ kind: 'root', name: accessKeyId, accessKeyId, policies })
  return createStoredCredential(principal, secretAccessKey)
}

function credentialsError(field: keyof Credentials, message: string): CredentialsError {
  return Object.assign(new Error(message), { name: 'CredentialsError', code: 'InvalidCredentials' as const, field })
}
