const CODES = [
  'InvalidRequest',
  'NoSuchUser',
  'NoSuchPolicy',
  'PolicyInUse',
  'ManagedByFile',
  'ReservedName',
  'AccessDenied',
  'InvalidTokenId',
  'ExpiredToken',
  'InvalidIamFile',
  'InvalidIamDocument',
  'UnsupportedFormat',
] as const

/**
 * What went wrong, for the server's error catalogue. In brackets the HTTP status each is meant for.
 *
 * - `InvalidRequest` (400): a name, status, duration or policy that breaks the rules.
 * - `NoSuchUser`, `NoSuchPolicy` (404).
 * - `PolicyInUse` (409): detach it first.
 * - `ManagedByFile` (409): the name is the operator's file's; change it there.
 * - `ReservedName` (409): the root access key, or a policy every server has.
 * - `AccessDenied` (403): the caller may not have a session.
 * - `InvalidTokenId` (403), `ExpiredToken` (400): a session token.
 * - `InvalidIamFile`, `InvalidIamDocument`: what is stored can't be read; `UnsupportedFormat`: a newer version wrote it.
 */
export type IamErrorCode = (typeof CODES)[number]

/** An error of users, policies and sessions. Recognise it by `code`. The message may be shown and quotes no secret. */
export interface IamError extends Error {
  readonly code: IamErrorCode
  /** Where in a file or document, as `users[0].secretKey`; absent for the rest. */
  readonly path?: string
}

export function iamError(code: IamErrorCode, message: string, path?: string): IamError {
  return Object.assign(new Error(message), { name: 'IamError', code, ...(path !== undefined && { path }) })
}

const codes: ReadonlySet<unknown> = new Set(CODES)

/** Whether `error` is an IamError (with that code, if one is given). */
export function isIamError(error: unknown, code?: IamErrorCode): error is IamError {
  if (!(error instanceof Error) || error.name !== 'IamError' || !('code' in error)) return false
  return code === undefined ? codes.has(error.code) : error.code === code
}
