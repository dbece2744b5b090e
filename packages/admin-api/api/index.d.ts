// What @kms/admin-api declares (index). Written by `npm run api:update` from the emitted declarations;
// a change here is a change others have to follow.

// index.d.ts
export type { AuthenticatedRequest, Guard } from './access/authenticate.ts';
export { createFailureThrottle, type FailureThrottle, type FailureThrottleOptions } from './access/failure-throttle.ts';
export type { Permission } from './access/gate.ts';
export type { Peer } from './access/peer.ts';
export { type AdminApi, type AdminApiOptions, type AdminApiSettings, createAdminApi, type Page } from './admin-api.ts';
export type { AdminLogEntry } from './log-entry.ts';
export type { ReceivedRequest } from './request/received-request.ts';

// access/authenticate.d.ts
import type { Buffer } from 'node:buffer';
import { type Clock } from '@kms/core';
import { type CredentialStore, type Principal, type RequestContext } from '@kms/iam';
import type { ReceivedRequest } from '../request/received-request.ts';
import type { FailureThrottle } from './failure-throttle.ts';
import type { Peer } from './peer.ts';
export interface AuthenticatedRequest {
    readonly request: ReceivedRequest;
    readonly principal: Principal;
    readonly peer: Peer;
    readonly body: Buffer;
    readonly context: RequestContext;
}
export interface AuthenticatedUpload extends Omit<AuthenticatedRequest, 'body'> {
    readonly upload: AsyncIterable<Uint8Array>;
}
export interface Authenticator {
    whole(request: ReceivedRequest, maxBodyBytes?: number): Promise<AuthenticatedRequest>;
    streamed(request: ReceivedRequest): Promise<AuthenticatedUpload>;
}
export type Guard = (request: ReceivedRequest, principal: Principal, peer: Peer) => void;
export interface AuthenticatorOptions {
    readonly credentials: CredentialStore;
    readonly clock: Clock;
    readonly peer: (request: ReceivedRequest) => Peer;
    readonly guard: Guard | undefined;
    readonly region: string | undefined;
    readonly debugSignatures: boolean;
    readonly services: readonly string[];
    readonly throttle: FailureThrottle | undefined;
}
export declare function createAuthenticator(options: AuthenticatorOptions): Authenticator;

// access/failure-throttle.d.ts
import type { Clock } from '@kms/core';
export interface FailureThrottleOptions {
    readonly perMinute: number;
    readonly clock: Clock;
    readonly salt?: string;
}
export interface FailureThrottle {
    fail(address: string | undefined, accessKeyId: string): number | undefined;
}
export declare function createFailureThrottle(options: FailureThrottleOptions): FailureThrottle;

// access/gate.d.ts
import { type Authorize, type EncryptionContext } from '@kms/core';
import type { Decisions } from '@kms/core/internal';
import type { Authorizer } from '@kms/iam';
import type { AuthenticatedRequest } from './authenticate.ts';
export type Permission = readonly [string, ...string[]];
export interface Gate {
    readonly authorize: Authorize;
    readonly passed: boolean;
    readonly keyId: string | undefined;
    learn(context: EncryptionContext): void;
    requireService(): void;
    requireSomeKey(): void;
}
export declare function createGate(authorizer: Authorizer, { principal, context }: Pick<AuthenticatedRequest, 'principal' | 'context'>, action: Permission, decisions?: Decisions): Gate;
export declare function denied(action: Permission): Error;

// access/peer.d.ts
export interface Peer {
    readonly address?: string;
    readonly secure: boolean;
}

// admin-api.d.ts
import type { RequestListener } from 'node:http';
import { type AuditSink, type Clock, type KmsManager } from '@kms/core';
import { type CredentialStore, type IamDirectory, type Sts } from '@kms/iam';
import { type Context, Hono } from 'hono';
import { type AuthenticatedRequest, type Guard } from './access/authenticate.ts';
import { type Permission } from './access/gate.ts';
import type { Peer } from './access/peer.ts';
import type { AdminLogEntry } from './log-entry.ts';
import { type ReceivedRequest } from './request/received-request.ts';
export interface AdminApiSettings {
    readonly region?: string;
    readonly compatServerInfo?: boolean;
    readonly debugSignatures?: boolean;
    readonly authFailuresPerMinute?: number;
}
export interface AdminApiOptions {
    readonly manager: KmsManager;
    readonly credentials: CredentialStore;
    readonly directory?: IamDirectory;
    readonly sts?: Sts;
    readonly settings?: AdminApiSettings;
    readonly clock?: Clock;
    readonly elapsed?: () => number;
    readonly requestId?: (request: ReceivedRequest) => string;
    readonly peer?: (request: ReceivedRequest) => Peer;
    readonly guard?: Guard;
    readonly audit?: AuditSink;
    readonly archiveKey?: Uint8Array;
    readonly log?: (entry: AdminLogEntry) => void;
}
export interface AdminApi {
    readonly app: Hono;
    readonly stsApp: Hono;
    readonly listener: RequestListener;
    readonly stsListener: RequestListener;
    authenticate(c: Context): Promise<AuthenticatedRequest>;
    authorize(request: AuthenticatedRequest, permission: Permission, resource?: string): void;
    pageListener(page: Page): RequestListener;
    refuse(c: Context, error: unknown): Response;
}
export interface Page {
    readonly operation: string;
    readonly permission: Permission;
    readonly admits?: (request: ReceivedRequest) => boolean;
    read(): Promise<{
        readonly contentType: string;
        readonly text: string;
    }>;
}
export declare function createAdminApi(options: AdminApiOptions): AdminApi;

// error-reply.d.ts
import { type ErrorCode } from '@kms/core';
export interface PublicError {
    readonly code: ErrorCode;
    readonly status: number;
    readonly message: string;
    readonly retryAfterSeconds: number | undefined;
}
export declare function publicError(error: unknown): PublicError;

// log-entry.d.ts
import type { SigV4Computation } from '@kms/sigv4';
import type { RouteEffect } from './routes/route-effect.ts';
export type AdminLogEntry = {
    readonly event: 'request';
    readonly requestId: string;
    readonly operation: string | undefined;
    readonly action: string | undefined;
    readonly effect: RouteEffect | undefined;
    readonly method: string;
    readonly path: string;
    readonly principal: string | undefined;
    readonly accessKeyId: string | undefined;
    readonly address: string | undefined;
    readonly keyId: string | undefined;
    readonly status: number;
    readonly code: string | undefined;
    readonly milliseconds: number;
} | {
    readonly event: 'failure';
    readonly requestId: string;
    readonly error: unknown;
} | {
    readonly event: 'signature';
    readonly requestId: string;
    readonly computed: SigV4Computation;
};

// request/read-json.d.ts
import type { Buffer } from 'node:buffer';
import { z } from '@hono/zod-openapi';
export declare function readJson(body: Buffer): unknown;
export type JsonObject = Readonly<Record<string, unknown>>;
export declare function isJsonObject(value: unknown): value is JsonObject;
export interface BodyShape<T = unknown> {
    readonly schema: z.ZodType;
    read(json: unknown): T;
}
export declare function objectBody<T>(schema: z.ZodObject & z.ZodType<T>, aliases?: Readonly<Record<string, string>>): BodyShape<T>;
export declare const noBody: BodyShape;

// request/read-query.d.ts
export type Query = ReadonlyMap<string, string>;
export declare const NO_PARAMETERS: Query;
export declare function readQuery(rawQuery: string): Query;
export declare function refuseUnknownParameters(query: Query, known: readonly string[]): void;
export declare function decodePercent(text: string): string;

// request/received-request.d.ts
import type { IncomingMessage } from 'node:http';
import type { RawRequest } from '@kms/sigv4';
import type { Context } from 'hono';
import type { Peer } from '../access/peer.ts';
export interface ReceivedRequest extends RawRequest {
    readonly rawPath: string;
    readonly rawQuery: string;
    readonly peer: Peer;
    readonly body: IncomingMessage | ReadableStream<Uint8Array> | null;
}
export declare function receiveRequest(c: Context): ReceivedRequest;
export declare function receiveIncoming(incoming: IncomingMessage): ReceivedRequest;
export declare function headerOf(request: RawRequest, name: string): string | undefined;

// routes/route-effect.d.ts
import type { Route } from './route.ts';
export type RouteEffect = 'read' | 'use' | 'change';
export declare function effectOf(route: Route): RouteEffect;

// routes/route.d.ts
import type { z } from '@hono/zod-openapi';
import type { ArchiveSecret, Authorize, Caller, EncryptionContext, KmsManager } from '@kms/core';
import type { IamDirectory } from '@kms/iam';
import type { Gate, Permission } from '../access/gate.ts';
import type { PublicError } from '../error-reply.ts';
import type { BodyShape } from '../request/read-json.ts';
import type { Query } from '../request/read-query.ts';
export declare const ADMIN_PREFIX = "/rustfs/admin/v3";
export declare const MINIO_PREFIX = "/minio/admin/v3";
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
export interface RouteInput {
    readonly json: unknown;
    readonly query: Query;
    readonly pathKey: string | undefined;
}
export type KeyClaim = {
    readonly reference: string;
} | {
    readonly id: string;
};
export interface QueryShape<Q = unknown> {
    readonly schema: z.ZodObject;
    read(query: Query): Q;
}
export interface Call<B = unknown, Q = unknown> {
    readonly manager: KmsManager;
    readonly directory: () => IamDirectory;
    readonly caller: Caller;
    readonly body: B;
    readonly query: Q;
    readonly pathKey: string | undefined;
    readonly ifMatch: string | undefined;
    readonly upload: AsyncIterable<Uint8Array>;
    readonly archivePassphrase: string | undefined;
    readonly archiveKey: ArchiveSecret | undefined;
    readonly authorize: Authorize;
    learn(context: EncryptionContext): void;
    alsoRequire(permission: Permission): void;
    gateFor(permission: Permission): Gate;
    tell(error: unknown): PublicError;
}
export type Reply = {
    readonly body: object;
    readonly etag?: string;
} | {
    readonly stream: AsyncIterable<Uint8Array>;
    readonly fileName: string;
};
interface RouteFacts {
    readonly operation: string;
    readonly summary: string;
    readonly methods: readonly [Method, ...Method[]];
    readonly paths: readonly [string, ...string[]];
    readonly minioPaths: readonly string[];
    readonly reply: z.ZodType;
    readonly answersBytes?: true;
    readonly indented: boolean;
    readonly lifecycle: boolean;
}
export interface PublicRoute extends RouteFacts {
    readonly scope: 'public';
    handle(): Reply;
}
interface SignedRoute<B, Q> extends RouteFacts {
    readonly permission: Permission;
    readonly body?: BodyShape<B>;
    readonly query?: QueryShape<Q>;
    readonly headers?: z.ZodObject;
    readonly maxBodyBytes?: number;
    handle(call: Call<B, Q>): Promise<Reply> | Reply;
}
export interface ServiceRoute<B = unknown, Q = unknown> extends SignedRoute<B, Q> {
    readonly scope: 'service';
    readonly takesBytes?: true;
}
export interface KeyRoute<B = unknown, Q = unknown> extends SignedRoute<B, Q> {
    readonly scope: 'key';
    key(input: RouteInput, manager: KmsManager): KeyClaim | undefined;
}
export interface ItemsRoute<B = unknown, Q = unknown> extends SignedRoute<B, Q> {
    readonly scope: 'items';
}
export type Route = PublicRoute | ServiceRoute | KeyRoute | ItemsRoute;
export declare function defineRoute<B, Q>(route: ServiceRoute<B, Q> | KeyRoute<B, Q> | ItemsRoute<B, Q>): Route;
export declare function pathsOf(route: Route): readonly string[];
export {};
