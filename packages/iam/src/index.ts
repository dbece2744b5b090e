export type { Account, AccountSource, AccountStatus } from './account.ts'
export {
  type AuthorizationDecision,
  type AuthorizationRequest,
  type Authorizer,
  type AuthorizerOptions,
  createAuthorizer,
} from './authorizer.ts'
export { cannedPolicies } from './canned-policies.ts'
export { type CredentialStoreOptions, createCredentialStore, type IamCredentialStore } from './credential-store.ts'
export {
  type CredentialStore,
  type Credentials,
  type CredentialsError,
  createRootCredentials,
  isDefaultCredentials,
  validateCredentials,
} from './credentials.ts'
export {
  type AddUserRequest,
  createIamDirectory,
  type IamDirectory,
  type IamDirectoryOptions,
  type IamStore,
  type PolicyInfo,
  type UserInfo,
} from './directory/iam-directory.ts'
export type { IamDocument, IamDocumentPolicy, IamDocumentUser } from './directory/iam-document.ts'
export { createIamFile, type IamFile, type IamFileOptions, type IamFileReload } from './file/iam-file.ts'
export { type FileUser, type IamFileContent, parseIamFile } from './file/iam-file-content.ts'
export { type IamError, type IamErrorCode, isIamError } from './iam-error.ts'
export { evaluate, type PolicyRequest, type Verdict } from './policy/evaluate.ts'
export { type AccessVerdict, evaluateAccess } from './policy/evaluate-access.ts'
export type { RequestContext } from './policy/facts.ts'
export { type ParsePolicyOptions, parsePolicy } from './policy/parse-policy.ts'
export type { Policy } from './policy/policy.ts'
export { isPolicyError, type PolicyError } from './policy/policy-error.ts'
export { isPublicPolicy } from './policy/public-policy.ts'
export { anonymousPrincipal, type Caller, type Principal, type PrincipalSession, principalArn } from './principal.ts'
export { createSessions, type SessionCredentials, type Sessions, type SessionsOptions } from './session/sessions.ts'
export {
  type AssumeRoleRequest,
  createSts,
  SESSION_SECONDS,
  type SessionRequest,
  type Sts,
  type StsOptions,
} from './session/sts.ts'
export type { StoredCredential } from './stored-credential.ts'
