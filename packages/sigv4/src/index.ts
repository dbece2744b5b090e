export {
  type Checksum,
  type ChecksumAlgorithm,
  checksumBytes,
  checksumHeader,
  createChecksum,
  type RunningChecksum,
} from './checksum.ts'
export type { CredentialScope } from './credential-scope.ts'
export type { DecodeChunksOptions, DecodedBody } from './decode-chunks.ts'
export {
  type ChunkedForm,
  type ChunkedPayload,
  checkPayload,
  EMPTY_SHA256,
  type Payload,
  UNSIGNED_PAYLOAD,
} from './payload.ts'
export type { PostTarget } from './post-form.ts'
export { type ContentLengthRange, checkContentLength } from './post-policy.ts'
export { type PresignOptions, presignUrl } from './presign-url.ts'
export { type ChunkedRequest, type SignChunksOptions, signChunks } from './sign-chunks.ts'
export { type PostPolicyCondition, type SignPostPolicyOptions, signPostPolicy } from './sign-post-policy.ts'
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
export {
  createVerifier,
  type SecretCredentials,
  type VerifiedPost,
  type Verifier,
  type VerifierOptions,
} from './verifier.ts'
