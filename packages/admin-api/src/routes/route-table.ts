import { z } from '@hono/zod-openapi'
import { isKeyName } from '@kms/core'
import { backupRoute, restoreRoute } from './archive-routes.ts'
import { batchRoute } from './data/batch-route.ts'
import { decryptRoute, encryptRoute, generateDataKeyRoute } from './data/data-routes.ts'
import { deleteKeyRoute } from './keys/delete-key-route.ts'
import { importKeyRoute, importParametersRoute } from './keys/import-routes.ts'
import {
  addAliasRoute,
  removeAliasRoute,
  tagKeyRoute,
  untagKeyRoute,
  updateDescriptionRoute,
} from './keys/key-label-routes.ts'
import { createKeyRoute, describeKeyByQueryRoute, describeKeyRoute, listKeysRoute } from './keys/key-routes.ts'
import {
  cancelDeletionRoute,
  disableKeyRoute,
  enableKeyRoute,
  rotateKeyRoute,
  rotationPeriodRoute,
} from './keys/key-state-routes.ts'
import {
  clearCacheRoute,
  configRoute,
  configureRoute,
  reconfigureRoute,
  startRoute,
  stopRoute,
} from './lifecycle-routes.ts'
import { createOpenApiDocument, type OpenApiDocument } from './open-api-document.ts'
import { confirmRoute, historyRoute, rollbackRoute } from './past-routes.ts'
import { addPolicyRoute, listPoliciesRoute, policyInfoRoute, removePolicyRoute } from './policy-routes.ts'
import { listRetiredRoute, mendRetiredRoute, removeRetiredRoute } from './retired-routes.ts'
import { rotateRootRoute } from './rotate-root-route.ts'
import { MINIO_PREFIX, type PublicRoute, pathsOf, type Route } from './route.ts'
import { statusRoute } from './status-route.ts'
import {
  addUserRoute,
  listUsersRoute,
  removeUserRoute,
  setPolicyRoute,
  setUserStatusRoute,
  userInfoRoute,
} from './user-routes.ts'

let document: OpenApiDocument | undefined

const openApiRoute: PublicRoute = {
  operation: 'getOpenApiDocument',
  summary: 'This document',
  methods: ['GET'],
  paths: ['/openapi.json'],
  minioPaths: [],
  scope: 'public',
  reply: z.looseObject({ openapi: z.string() }),
  indented: true,
  lifecycle: false,
  handle: () => ({ body: (document ??= createOpenApiDocument(routes)) }),
}

/** Users and policies. */
const userRoutes: readonly Route[] = [
  addUserRoute,
  removeUserRoute,
  listUsersRoute,
  userInfoRoute,
  setUserStatusRoute,
  addPolicyRoute,
  listPoliciesRoute,
  policyInfoRoute,
  removePolicyRoute,
  setPolicyRoute,
]

/** The API. */
export const routes: readonly Route[] = [
  statusRoute,
  configureRoute,
  reconfigureRoute,
  startRoute,
  stopRoute,
  configRoute,
  historyRoute,
  rollbackRoute,
  confirmRoute,
  listRetiredRoute,
  mendRetiredRoute,
  removeRetiredRoute,
  clearCacheRoute,
  rotateRootRoute,
  backupRoute,
  restoreRoute,
  createKeyRoute,
  listKeysRoute,
  describeKeyRoute,
  describeKeyByQueryRoute,
  rotateKeyRoute,
  rotationPeriodRoute,
  enableKeyRoute,
  disableKeyRoute,
  updateDescriptionRoute,
  tagKeyRoute,
  untagKeyRoute,
  addAliasRoute,
  removeAliasRoute,
  deleteKeyRoute,
  cancelDeletionRoute,
  importParametersRoute,
  importKeyRoute,
  generateDataKeyRoute,
  encryptRoute,
  decryptRoute,
  batchRoute,
  ...userRoutes,
  openApiRoute,
]

/** The routes of one path. */
export interface PathRoutes {
  /** By method, `HEAD` included. */
  readonly byMethod: ReadonlyMap<string, Route>
  /** Value of the `Allow` header. */
  readonly allow: string
}

export interface FoundPath extends PathRoutes {
  /** What stands for the placeholder at the end of the path, undecoded. */
  readonly rawKey: string | undefined
}

const PLACEHOLDER = /\{(\w+)\}$/

const byPath = new Map<string, Map<string, Route>>()
for (const route of routes) {
  for (const path of pathsOf(route)) {
    const methods = byPath.get(path) ?? new Map<string, Route>()
    byPath.set(path, methods)
    for (const method of route.methods) {
      methods.set(method, route)
      if (method === 'GET') methods.set('HEAD', route)
    }
  }
}

const fixed = new Map<string, FoundPath>()
const open: { readonly prefix: string; readonly placeholder: string; readonly routes: PathRoutes }[] = []
for (const [path, byMethod] of byPath) {
  const found = { byMethod, allow: [...byMethod.keys()].sort().join(', ') }
  const [end, placeholder] = PLACEHOLDER.exec(path) ?? []
  if (end === undefined || placeholder === undefined) fixed.set(path, { ...found, rawKey: undefined })
  else open.push({ prefix: path.slice(0, -end.length), placeholder, routes: found })
}

/** Finds the routes of a raw path, which is compared as it is; `undefined` when there are none. */
export function findPath(rawPath: string): FoundPath | undefined {
  const found = fixed.get(rawPath)
  if (found !== undefined) return found
  for (const { prefix, placeholder, routes: pathRoutes } of open) {
    if (!rawPath.startsWith(prefix)) continue
    const rawKey = rawPath.slice(prefix.length)
    if (placeholder === 'key_id' ? namesKey(rawKey) : /^[^/]+$/.test(rawKey)) return { ...pathRoutes, rawKey }
  }
  return undefined
}

const encrypted = new Set(userRoutes.flatMap((route) => route.paths.map((path) => MINIO_PREFIX + path)))

/** Whether `mc` and madmin would send a body here that is encrypted under the caller's secret, which nobody opens. */
export function isEncryptedUserPath(rawPath: string): boolean {
  return encrypted.has(rawPath)
}

/**
 * Whether the end of a path can be meant as a key. Words that are reserved for routes name no key: a route that is not
 * here is not found, and is no key with a strange name either.
 */
function namesKey(rawKey: string): boolean {
  if (rawKey === '') return false
  if (rawKey.includes('/')) return rawKey.startsWith('alias/') || rawKey.startsWith('arn:')
  return isKeyName(rawKey) || !/^[a-z]+(?:-[a-z]+)*$/.test(rawKey)
}
