import { OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import { errorReply } from './reply-schemas.ts'
import { ADMIN_PREFIX, type Method, pathsOf, type Route } from './route.ts'

export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>

const JSON_TYPE = 'application/json'
const BYTES_TYPE = 'application/octet-stream'
const bytes = z.string().openapi({ format: 'binary' })

const OPERATIONS = { GET: 'get', POST: 'post', PUT: 'put', DELETE: 'delete' } as const

/** The OpenAPI 3.1 document of a route table: an operation for every method of every path. */
export function createOpenApiDocument(routes: readonly Route[]): OpenApiDocument {
  const app = new OpenAPIHono()
  const registry = app.openAPIRegistry
  registry.registerComponent('securitySchemes', 'sigv4', {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description:
      'AWS Signature Version 4 for service s3, execute-api, kms or sts. GET may be signed in the query instead.',
    'x-amazon-apigateway-authtype': 'awsSigv4',
  })
  for (const route of routes) {
    for (const [index, path] of pathsOf(route).entries()) {
      for (const method of route.methods) registry.registerPath(describe(route, path, index, method))
    }
  }
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'KMS admin API',
      version: 'v3',
      description: `Canonical paths begin with ${ADMIN_PREFIX}; the others are aliases with the same replies.`,
    },
  })
}

function describe(route: Route, path: string, index: number, method: Method): RouteConfig {
  const signed = route.scope === 'public' ? undefined : route
  const { body, query, headers } = signed ?? {}
  const takesBytes = route.scope === 'service' && route.takesBytes === true
  const placeholder = /\{(\w+)\}$/.exec(path)?.[1]
  const suffix = `${method === route.methods[0] ? '' : `_${method.toLowerCase()}`}${index === 0 ? '' : `_${index}`}`
  return {
    method: OPERATIONS[method],
    path,
    operationId: route.operation + suffix,
    summary: index === 0 ? route.summary : `${route.summary} (alias)`,
    security: signed === undefined ? [] : [{ sigv4: [] }],
    ...(signed === undefined ? {} : { 'x-kms-permissions': [...signed.permission] }),
    request: {
      ...(placeholder === undefined ? {} : { params: z.object({ [placeholder]: z.string() }) }),
      ...(query === undefined ? {} : { query: query.schema }),
      ...(headers === undefined ? {} : { headers }),
      ...(takesBytes ? { body: { content: { [BYTES_TYPE]: { schema: bytes } } } } : {}),
      ...(body === undefined || method === 'GET'
        ? {}
        : { body: { content: { [JSON_TYPE]: { schema: body.schema } } } }),
    },
    responses: {
      200: { description: 'Done', content: { [route.answersBytes ? BYTES_TYPE : JSON_TYPE]: { schema: route.reply } } },
      default: { description: 'Refused or failed', content: { [JSON_TYPE]: { schema: errorReply } } },
    },
  }
}
