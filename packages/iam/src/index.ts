export {
  type AuthorizationDecision,
  type AuthorizationRequest,
  type Authorizer,
  type AuthorizerOptions,
  createAuthorizer,
} from './authorizer.ts'
export { cannedPolicies } from './canned-policies.ts'
export {
  type CredentialStore,
  type Credentials,
  type CredentialsError,
  createRootCredentials,
  isDefaultCredentials,
  type StoredCredential,
  validateCredentials,
} from './credentials.ts'
export { evaluate, type PolicyRequest, type Verdict } from './policy/evaluate.ts'
export type { RequestContext } from './policy/facts.ts'
export { type ParsePolicyOptions, parsePolicy } from './policy/parse-policy.ts'
export type { Policy } from './policy/policy.ts'
export { isPolicyError, type PolicyError } from './policy/policy-error.ts'
export { anonymousPrincipal, type Caller, type Principal } from './principal.ts'
