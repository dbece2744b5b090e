import type { z } from '@hono/zod-openapi'
import type { ArchiveSecret, Authorize, Caller, EncryptionContext, KmsManager } from '@kms/core'
import type { IamDirectory } from '@kms/iam'
import type { Gate, Permission } from '../access/gate.ts'
import type { PublicError } from '../error-reply.ts'
import type { BodyShape } from '../request/read-json.ts'
import type { Query } from '../request/read-query.ts'

/** Where the admin API lives. */
export const ADMIN_PREFIX = '/rustfs/admin/v3'
/** Where `mc` looks for the few routes it knows. */
export const MINIO_PREFIX = '/minio/admin/v3'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** What a request says, before it is validated; used to find out which key it is about when it has to be refused. */
export interface RouteInput {
  /** `undefined` while the body could not be parsed. */
  readonly json: unknown
  readonly query: Query
  /** The end of the path of a route with `{key_id}` or `{realm}`, decoded. */
  readonly pathKey: string | undefined
}

/** The key a request is about: a spelling still to be resolved, or an id. */
export type KeyClaim = { readonly reference: string } | { readonly id: string }

/** The query parameters of a route. */
export interface QueryShape<Q = unknown> {
  /** For the OpenAPI document; its fields are the parameters known. */
  readonly schema: z.ZodObject
  /** Throws `ValidationError`. */
  read(query: Query): Q
}

/** One authorised call. */
export interface Call<B = unknown, Q = unknown> {
  readonly manager: KmsManager
  /** Users and policies. Throws `UnsupportedOperation` where the server keeps none. */
  readonly directory: () => IamDirectory
  readonly caller: Caller
  readonly body: B
  readonly query: Q
  readonly pathKey: string | undefined
  /** `If-Match`. */
  readonly ifMatch: string | undefined
  /** Of a route that takes bytes: the body, as it arrives. Throws `InvalidRequest`, `XAmzContentSHA256Mismatch`. */
  readonly upload: AsyncIterable<Uint8Array>
  /** `x-kms-archive-passphrase`, as it was sent. */
  readonly archivePassphrase: string | undefined
  /** What archives are sealed with where no passphrase is given, if the server has that. */
  readonly archiveKey: ArchiveSecret | undefined
  /** For core: checks the permission on a resolved key id. */
  readonly authorize: Authorize
  /** Makes the encryption context known to policies; before `authorize` can be called. */
  learn(context: EncryptionContext): void
  /** Checks a further right on the service as a whole. Throws `AccessDenied`. */
  alsoRequire(permission: Permission): void
  /** A gate of its own, for what a request does besides. */
  gateFor(permission: Permission): Gate
  /** What may be told of an error that does not end the request; the log learns of those that are the server's. */
  tell(error: unknown): PublicError
}

/** A reply of JSON, or of bytes that are made while they are sent. */
export type Reply =
  | { readonly body: object; readonly etag?: string }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly fileName: string }

interface RouteFacts {
  /** `operationId` of the document. */
  readonly operation: string
  readonly summary: string
  readonly methods: readonly [Method, ...Method[]]
  /** Below {@link ADMIN_PREFIX}: the canonical path, then its aliases. `{key_id}` or `{realm}` can only be the end of one. */
  readonly paths: readonly [string, ...string[]]
  /** Below {@link MINIO_PREFIX}. */
  readonly minioPaths: readonly string[]
  readonly reply: z.ZodType
  /** Whether what it answers, when all is well, is bytes. */
  readonly answersBytes?: true
  /** Whether replies are spread over lines, for people and `grep '"status": "Running"'`. */
  readonly indented: boolean
  /** Whether the service's `status` stands in the errors of callers who were let in. */
  readonly lifecycle: boolean
}

/** Anyone may call it, signed or not. */
export interface PublicRoute extends RouteFacts {
  readonly scope: 'public'
  handle(): Reply
}

interface SignedRoute<B, Q> extends RouteFacts {
  readonly permission: Permission
  /** Absent: takes no body, or `{}`. */
  readonly body?: BodyShape<B>
  readonly query?: QueryShape<Q>
  /** Request headers of its own, for the document. */
  readonly headers?: z.ZodObject
  /** Largest body, in bytes; 1 MiB unless given. */
  readonly maxBodyBytes?: number
  handle(call: Call<B, Q>): Promise<Reply> | Reply
}

/** Judged on the service as a whole, before anything of the request is read. */
export interface ServiceRoute<B = unknown, Q = unknown> extends SignedRoute<B, Q> {
  readonly scope: 'service'
  /** Whether the body is bytes, of any length, which it reads itself. */
  readonly takesBytes?: true
}

/** Judged on a key: by core, through `Call.authorize`, once it has resolved what the request calls it. */
export interface KeyRoute<B = unknown, Q = unknown> extends SignedRoute<B, Q> {
  readonly scope: 'key'
  /** The key a refused request was about; `undefined` when that can't be told. Never throws. */
  key(input: RouteInput, manager: KmsManager): KeyClaim | undefined
}

/**
 * Judged item by item, by its handler: `permission` are the actions of the items. A caller who may do none of them on any
 * key is denied.
 */
export interface ItemsRoute<B = unknown, Q = unknown> extends SignedRoute<B, Q> {
  readonly scope: 'items'
}

/** One operation of the admin API: everything dispatch, authorisation, the document and the tests need to know of it. */
export type Route = PublicRoute | ServiceRoute | KeyRoute | ItemsRoute

/** Types a route by its own body and query; the table holds it as one of unknown ones. */
export function defineRoute<B, Q>(route: ServiceRoute<B, Q> | KeyRoute<B, Q> | ItemsRoute<B, Q>): Route {
  return route
}

/** All paths of a route, whole: the canonical one first. */
export function pathsOf(route: Route): readonly string[] {
  return [...route.paths.map((path) => ADMIN_PREFIX + path), ...route.minioPaths.map((path) => MINIO_PREFIX + path)]
}
