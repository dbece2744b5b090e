// What @kms/sigv4 declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export type { CredentialScope } from './credential-scope.ts';
export { checkPayload, EMPTY_SHA256, type Payload, UNSIGNED_PAYLOAD } from './payload.ts';
export { type PresignOptions, presignUrl } from './presign-url.ts';
export { type SigningDestination, type SignRequestOptions, signRequest } from './sign-request.ts';
export type { AnonymousRequest, RawRequest, SignedRequest } from './signed-request.ts';
export type { SigningCredentials, SigningOptions } from './signing-input.ts';
export { isSigV4Error, type SigV4Computation, SigV4Error, type SigV4ErrorCode, sigV4ErrorStatuses, } from './sigv4-error.ts';
export { createVerifier, type SecretCredentials, type Verifier, type VerifierOptions } from './verifier.ts';

// credential-scope.d.ts
export interface CredentialScope {
    readonly day: string;
    readonly region: string;
    readonly service: string;
}
export declare function formatScope(scope: CredentialScope): string;
export declare function parseCredential(text: string): (CredentialScope & {
    readonly accessKeyId: string;
}) | undefined;

// header-table.d.ts
export interface HeaderTable {
    readonly values: ReadonlyMap<string, string>;
    readonly repeated: ReadonlySet<string>;
}
export declare function readHeaders(rawHeaders: readonly string[]): HeaderTable;
export declare function singleHeader(headers: HeaderTable, name: string): string | undefined;
export declare function canonicalHeaders(headers: HeaderTable, signedHeaders: readonly string[], collapse: boolean): string;
export declare function hasInnerBlankRuns(headers: HeaderTable, signedHeaders: readonly string[]): boolean;

// payload.d.ts
export type Payload = {
    readonly kind: 'sha256';
    readonly sha256: string;
} | {
    readonly kind: 'body';
} | {
    readonly kind: 'unsigned';
};
export declare const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
export declare const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
export declare function isSha256Hex(text: string): boolean;
export declare function parsePayload(declared: string): Payload;
export declare function checkPayload(claim: {
    readonly payload: Payload;
}, body: Uint8Array | {
    readonly sha256: string;
}): void;

// presign-url.d.ts
import { type SigningOptions } from './signing-input.ts';
export interface PresignOptions extends SigningOptions {
    readonly url: string | URL;
    readonly expiresSeconds: number;
    readonly payloadHash?: string | undefined;
}
export declare function presignUrl(options: PresignOptions): string;

// sign-request.d.ts
import { type SigningOptions } from './signing-input.ts';
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

// signed-request.d.ts
import type { CredentialScope } from './credential-scope.ts';
import type { HeaderTable } from './header-table.ts';
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
export interface Evidence {
    readonly method: string;
    readonly rawPath: string;
    readonly path: string;
    readonly query: string;
    readonly rawQuery: string | undefined;
    readonly headers: HeaderTable;
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
    readonly InvalidAccessKeyId: 403;
    readonly InvalidArgument: 400;
    readonly InvalidRequest: 400;
    readonly InvalidURI: 400;
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
export declare function isSigV4Error(error: unknown, ...codes: readonly SigV4ErrorCode[]): error is SigV4Error;

// verifier.d.ts
import type { AnonymousRequest, RawRequest, SignedRequest } from './signed-request.ts';
export interface SecretCredentials {
    readonly secretAccessKey: string;
}
export interface VerifierOptions<C extends SecretCredentials> {
    readonly services: readonly string[];
    readonly region?: string | undefined;
    readonly credentials: (accessKeyId: string, sessionToken: string | undefined) => C | undefined | Promise<C | undefined>;
    readonly now?: () => number;
    readonly maxSkewSeconds?: number;
    readonly maxCachedKeys?: number;
    readonly debug?: boolean;
}
export interface Verifier<C extends SecretCredentials> {
    readonly parse: (request: RawRequest) => SignedRequest | AnonymousRequest;
    readonly verify: (claim: SignedRequest, bodySha256?: string) => Promise<C>;
}
export declare function createVerifier<C extends SecretCredentials>(options: VerifierOptions<C>): Verifier<C>;
