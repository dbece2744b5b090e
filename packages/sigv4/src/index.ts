export type { CredentialScope } from './credential-scope.ts'
export { checkPayload, EMPTY_SHA256, type Payload, UNSIGNED_PAYLOAD } from './payload.ts'
export { type PresignOptions, presignUrl } from './presign-url.ts'
export { type SigningDestination, type SignRequestOptions, signRequest } from './sign-request.ts'
export type { AnonymousRequest, RawRequest, SignedRequest } from './signed-request.ts'
export type { SigningCredentials, SigningOptions } from './signing-input.ts'
export {
  isSigV4Error,
  type SigV4Computation,
  SigV4Error,
  type SigV4ErrorCode,
  sigV4ErrorStatuses,
} from './sigv4-error.ts'
export { createVerifier, type SecretCredentials, type Verifier, type VerifierOptions } from './verifier.ts'
