// What @kms/sigv4 declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export { type Checksum, type ChecksumAlgorithm, checksumBytes, checksumHeader, createChecksum, type RunningChecksum, } from './checksum.ts';
export type { CredentialScope } from './credential-scope.ts';
export type { DecodeChunksOptions, DecodedBody } from './decode-chunks.ts';
export { type ChunkedForm, type ChunkedPayload, checkPayload, EMPTY_SHA256, type Payload, UNSIGNED_PAYLOAD, } from './payload.ts';
export type { PostTarget } from './post-form.ts';
export { type ContentLengthRange, checkContentLength } from './post-policy.ts';
export { type PresignOptions, presignUrl } from './presign-url.ts';
export { type ChunkedRequest, type SignChunksOptions, signChunks } from './sign-chunks.ts';
export { type PostPolicyCondition, type SignPostPolicyOptions, signPostPolicy } from './sign-post-policy.ts';
export { type SigningDestination, type SignRequestOptions, signRequest } from './sign-request.ts';
export type { AnonymousRequest, RawRequest, SignedRequest } from './signed-request.ts';
export type { SigningCredentials, SigningOptions } from './signing-input.ts';
export { isSigV4Error, type SigV4Computation, SigV4Error, type SigV4ErrorCode, sigV4ErrorStatuses, } from './sigv4-error.ts';
export { createVerifier, type SecretCredentials, type VerifiedPost, type Verifier, type VerifierOptions, } from './verifier.ts';

// checksum.d.ts
export declare const checksumBytes: {
    readonly CRC32: 4;
    readonly CRC32C: 4;
    readonly CRC64NVME: 8;
    readonly SHA1: 20;
    readonly SHA256: 32;
};
export type ChecksumAlgorithm = keyof typeof checksumBytes;
export interface Checksum {
    readonly algorithm: ChecksumAlgorithm;
    readonly value: string;
}
export interface RunningChecksum {
    readonly update: (bytes: Uint8Array) => void;
    readonly digest: () => Checksum;
}
export declare function createChecksum(algorithm: ChecksumAlgorithm): RunningChecksum;
export declare function checksumHeader(algorithm: ChecksumAlgorithm): string;
export declare function checksumOfHeader(name: string): ChecksumAlgorithm | undefined;
export declare function isChecksumValue(algorithm: ChecksumAlgorithm, value: string): boolean;

// credential-scope.d.ts
export interface CredentialScope {
    readonly day: string;
    readonly region: string;
    readonly service: string;
}
export interface Credential extends CredentialScope {
    readonly accessKeyId: string;
    readonly scope: string;
    readonly text: string;
}
export declare function formatScope(scope: CredentialScope): string;
export declare function parseCredential(text: string): Credential | undefined;

// decode-chunks.d.ts
import type { KeyObject } from 'node:crypto';
import { type Checksum } from './checksum.ts';
import { type ChunkedPayload } from './payload.ts';
import type { SignedRequest } from './signed-request.ts';
export interface DecodeChunksOptions {
    readonly maxChunkBytes?: number;
    readonly minChunkBytes?: number;
}
export interface DecodedBody extends AsyncIterable<Uint8Array> {
    readonly checksum: Checksum | undefined;
}
export declare function decodeChunks(source: AsyncIterable<Uint8Array>, claim: SignedRequest & {
    readonly payload: ChunkedPayload;
}, key: KeyObject, options?: DecodeChunksOptions): DecodedBody;

// header-table.d.ts
export interface HeaderTable {
    readonly values: ReadonlyMap<string, string>;
    readonly repeated: ReadonlySet<string>;
    readonly blankRuns: boolean;
    readonly obligatory: number;
}
export declare function readHeaders(rawHeaders: readonly string[]): HeaderTable;
export declare function singleHeader(headers: HeaderTable, name: string): string | undefined;
export declare function canonicalHeaders(headers: HeaderTable, signedHeaders: readonly string[], collapse: boolean): string;
export declare function hasInnerBlankRuns(headers: HeaderTable, signedHeaders: readonly string[]): boolean;

// payload.d.ts
import type { ChecksumAlgorithm } from './checksum.ts';
export type Payload = {
    readonly kind: 'sha256';
    readonly sha256: string;
} | {
    readonly kind: 'body';
} | {
    readonly kind: 'unsigned';
} | ChunkedPayload;
export interface ChunkedPayload {
    readonly kind: 'chunked';
    readonly form: ChunkedForm;
    readonly signed: boolean;
    readonly trailer: ChecksumAlgorithm | undefined;
    readonly decodedLength: number;
    readonly contentEncoding: string | undefined;
}
export type ChunkedForm = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' | 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER' | 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
export declare const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
export declare const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
export declare function isSha256Hex(text: string): boolean;
export declare function parsePayload(declared: string): Payload;
export declare function checkPayload(claim: {
    readonly payload: Payload;
}, body: Uint8Array | {
    readonly sha256: string;
}): void;

// post-form.d.ts
import { type Credential } from './credential-scope.ts';
import { type ContentLengthRange } from './post-policy.ts';
export interface PostTarget {
    readonly bucket: string;
    readonly key?: string | undefined;
}
export interface SignedForm {
    readonly credential: Credential;
    readonly signature: string;
    readonly sessionToken: string | undefined;
    readonly policy: string;
    readonly checkPolicy: (nowMs: number) => ContentLengthRange | undefined;
}
export declare function readPostForm(fields: ReadonlyMap<string, string>, target: PostTarget, region: string | undefined): SignedForm | undefined;

// post-policy.d.ts
export interface ContentLengthRange {
    readonly minBytes: number;
    readonly maxBytes: number;
}
export interface PostPolicy {
    readonly expiresAtMs: number;
    readonly conditions: readonly PostCondition[];
}
type PostCondition = {
    readonly text: string;
} & ({
    readonly kind: 'eq' | 'starts-with';
    readonly field: string;
    readonly value: string;
} | {
    readonly kind: 'content-length-range';
    readonly range: ContentLengthRange;
} | {
    readonly kind: 'never';
});
export declare function parsePostPolicy(encoded: string): PostPolicy;
export interface PostForm {
    readonly values: ReadonlyMap<string, string>;
    readonly mustCover: ReadonlyMap<string, string>;
}
export declare function checkPostPolicy(policy: PostPolicy, form: PostForm, nowMs: number): ContentLengthRange | undefined;
export declare function checkContentLength(range: ContentLengthRange | undefined, bytes: number): void;
export {};

// presign-url.d.ts
import { type SigningOptions } from './signing-input.ts';
export interface PresignOptions extends SigningOptions {
    readonly url: string | URL;
    readonly expiresSeconds: number;
    readonly payloadHash?: string | undefined;
}
export declare function presignUrl(options: PresignOptions): string;

// sign-chunks.d.ts
import { type ChecksumAlgorithm } from './checksum.ts';
import { type SigningDestination } from './sign-request.ts';
import type { SigningOptions } from './signing-input.ts';
export type SignChunksOptions = SigningOptions & SigningDestination & {
    readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
    readonly decodedLength: number;
    readonly chunkBytes?: number;
    readonly checksum?: ChecksumAlgorithm | undefined;
    readonly signed?: boolean;
};
export interface ChunkedRequest {
    readonly headers: Record<string, string>;
    readonly body: AsyncGenerator<Uint8Array, void, undefined>;
    readonly encodedLength: number;
}
export declare function signChunks(options: SignChunksOptions): ChunkedRequest;

// sign-post-policy.d.ts
import { type SigningCredentials } from './signing-input.ts';
export type PostPolicyCondition = readonly ['eq' | 'starts-with', string, string] | readonly ['content-length-range', number, number] | Readonly<Record<string, string>>;
export interface SignPostPolicyOptions {
    readonly bucket: string;
    readonly key: string;
    readonly fields?: Readonly<Record<string, string>>;
    readonly conditions?: readonly PostPolicyCondition[];
    readonly expiresSeconds: number;
    readonly credentials: SigningCredentials;
    readonly region: string;
    readonly now?: () => number;
}
export declare function signPostPolicy(options: SignPostPolicyOptions): Record<string, string>;

// sign-request.d.ts
import { type SigningOptions, type SigningTime } from './signing-input.ts';
export type SigningDestination = {
    readonly url: string | URL;
    readonly target?: never;
    readonly host?: never;
} | {
    readonly target: string;
    readonly host: string;
    readonly url?: never;
};
export type SignRequestOptions = SigningOptions & SigningDestination & {
    readonly body?: Uint8Array | string | undefined;
    readonly payloadHash?: string | undefined;
};
export declare function signRequest(options: SignRequestOptions): Record<string, string>;
export declare function signWithHeader(options: SigningOptions & SigningDestination, payloadHash: string, own: readonly (readonly [string, string])[]): {
    readonly headers: Record<string, string>;
    readonly signature: string;
    readonly time: SigningTime;
};

// signed-request.d.ts
import type { CredentialScope } from './credential-scope.ts';
import type { Payload } from './payload.ts';
export interface RawRequest {
    readonly method: string;
    readonly rawTarget: string;
    readonly rawHeaders: readonly string[];
}
export interface SignedRequest extends CredentialScope {
    readonly kind: 'signed';
    readonly via: 'header' | 'query';
    readonly accessKeyId: string;
    readonly timestamp: string;
    readonly signedHeaders: readonly string[];
    readonly signature: string;
    readonly sessionToken: string | undefined;
    readonly expiresSeconds: number | undefined;
    readonly payload: Payload;
}
export interface AnonymousRequest {
    readonly kind: 'anonymous';
}

// signing-input.d.ts
import { type CredentialScope } from './credential-scope.ts';
import { type HeaderTable } from './header-table.ts';
export interface SigningCredentials {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string | undefined;
}
export interface SigningOptions {
    readonly method: string;
    readonly headers?: Iterable<readonly [string, string]> | Readonly<Record<string, string>>;
    readonly credentials: SigningCredentials;
    readonly region: string;
    readonly service: string;
    readonly now?: () => number;
}
export interface SigningTime {
    readonly timestamp: string;
    readonly scope: CredentialScope;
}
export declare function signingTime(options: SigningOptions): SigningTime;
export declare function signingHeaders(given: SigningOptions['headers'], extra: readonly (readonly [string, string])[]): HeaderTable;
export declare function namesToSign(headers: HeaderTable): readonly string[];
export declare function checkPayloadHash(payloadHash: string): string;

// sigv4-error.d.ts
export declare const sigV4ErrorStatuses: {
    readonly AccessDenied: 403;
    readonly AuthorizationHeaderMalformed: 400;
    readonly AuthorizationQueryParametersError: 400;
    readonly BadDigest: 400;
    readonly EntityTooLarge: 400;
    readonly EntityTooSmall: 400;
    readonly IncompleteBody: 400;
    readonly InvalidAccessKeyId: 403;
    readonly InvalidArgument: 400;
    readonly InvalidChunkSizeError: 403;
    readonly InvalidPolicyDocument: 400;
    readonly InvalidRequest: 400;
    readonly InvalidURI: 400;
    readonly MalformedTrailerError: 400;
    readonly MissingContentLength: 411;
    readonly NotImplemented: 501;
    readonly RequestTimeTooSkewed: 403;
    readonly SignatureDoesNotMatch: 403;
    readonly XAmzContentSHA256Mismatch: 400;
};
export type SigV4ErrorCode = keyof typeof sigV4ErrorStatuses;
export interface SigV4Computation {
    readonly canonicalRequest: string;
    readonly stringToSign: string;
}
export declare class SigV4Error extends Error {
    readonly name = "SigV4Error";
    readonly code: SigV4ErrorCode;
    readonly status: number;
    readonly computed?: SigV4Computation;
    constructor(code: SigV4ErrorCode, message: string, computed?: SigV4Computation);
}
export declare function signatureDoesNotMatch(computed?: SigV4Computation): SigV4Error;
export declare function isSigV4Error(error: unknown, ...codes: readonly SigV4ErrorCode[]): error is SigV4Error;

// verifier.d.ts
import { type DecodeChunksOptions, type DecodedBody } from './decode-chunks.ts';
import { type PostTarget } from './post-form.ts';
import type { ContentLengthRange } from './post-policy.ts';
import type { AnonymousRequest, RawRequest, SignedRequest } from './signed-request.ts';
export interface SecretCredentials {
    readonly secretAccessKey: string;
}
export interface VerifierOptions<C extends SecretCredentials> {
    readonly services: readonly string[];
    readonly region?: string | undefined;
    readonly credentials: (accessKeyId: string, sessionToken: string | undefined) => C | undefined | Promise<C | undefined>;
    readonly streaming?: boolean;
    readonly now?: () => number;
    readonly maxSkewSeconds?: number;
    readonly maxCachedKeys?: number;
    readonly debug?: boolean;
}
export interface Verifier<C extends SecretCredentials> {
    readonly parse: (request: RawRequest) => SignedRequest | AnonymousRequest;
    readonly verify: (claim: SignedRequest, bodySha256?: string) => Promise<C>;
    readonly decodeChunks: (claim: SignedRequest, source: AsyncIterable<Uint8Array>, options?: DecodeChunksOptions) => DecodedBody;
    readonly verifyPostPolicy: (fields: ReadonlyMap<string, string>, target: PostTarget) => Promise<VerifiedPost<C> | AnonymousRequest>;
}
export interface VerifiedPost<C extends SecretCredentials> {
    readonly kind: 'signed';
    readonly accessKeyId: string;
    readonly credentials: C;
    readonly contentLengthRange: ContentLengthRange | undefined;
}
export declare function createVerifier<C extends SecretCredentials>(options: VerifierOptions<C>): Verifier<C>;
