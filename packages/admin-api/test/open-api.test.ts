import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routes } from '../src/routes/route-table.ts'
import { createHarness, type Harness } from './harness.ts'
import { endpoints } from './samples.ts'

type Node = Readonly<Record<string, unknown>>
type Operation = Node & {
  readonly operationId: string
  readonly security: readonly Node[]
  readonly responses: Node
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
}

let harness: Harness
let document: Node & { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }
beforeAll(async () => {
  harness = await createHarness()
  const { json } = await harness.send('GET', '/openapi.json', { as: undefined })
  document = json as typeof document
})
afterAll(() => harness.close())

function* nodes(value: unknown): Generator<Node> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield value as Node
  for (const inner of Object.values(value)) yield* nodes(inner)
}

it('is OpenAPI 3.1: the members the specification asks for, and no reference to nothing', () => {
  expect(document['openapi']).toBe('3.1.0')
  expect(document['info']).toMatchObject({ title: expect.any(String), version: expect.any(String) })
  let references = 0
  for (const node of nodes(document)) {
    const reference = node['$ref']
    if (typeof reference !== 'string') continue
    references++
    const target = reference
      .slice('#/'.length)
      .split('/')
      .reduce<unknown>((inner, name) => (inner as Node)[name], document)
    expect(target, reference).toBeTypeOf('object')
  }
  expect(references).toBeGreaterThan(50)
  // 3.0's way of saying null.
  expect([...nodes(document)].filter((node) => 'nullable' in node)).toEqual([])
})

it('has exactly the operations of the route table', () => {
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(documented.sort()).toEqual(endpoints.map(({ method, path }) => `${method} ${path}`).sort())
})

it('names each operation once, with its permissions', () => {
  const operations = endpoints.map(({ route, method, path }) => ({
    route,
    method,
    operation: document.paths[path]?.[method.toLowerCase()] as Operation,
  }))
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(endpoints.length)
  for (const { route, operation } of operations) {
    expect(operation['x-kms-permissions']).toEqual(route.scope === 'public' ? undefined : route.permission)
    expect(operation.security).toEqual(route.scope === 'public' ? [] : [{ sigv4: [] }])
    expect(Object.keys(operation.responses)).toEqual(['200', 'default'])
  }
  for (const route of routes) {
    const canonical = document.paths[`/rustfs/admin/v3${route.paths[0]}`]?.[route.methods[0].toLowerCase()]
    expect(canonical?.operationId).toBe(route.operation)
  }
})

describe('bodies and parameters', () => {
  const schemaOf = (path: string): Node => {
    const operation = document.paths[`/rustfs/admin/v3${path}`]?.['post'] as Operation
    const body = operation['requestBody'] as { content: Record<string, { schema: Node }> }
    return body.content['application/json']?.schema as Node
  }
  it('are those the routes take', () => {
    expect(Object.keys(schemaOf('/kms/generate-data-key')['properties'] as Node)).toEqual([
      'key_id',
      'key_spec',
      'encryption_context',
    ])
    expect(schemaOf('/kms/encrypt')['required']).toEqual(['plaintext'])
    expect(schemaOf('/kms/decrypt')['required']).toEqual(['ciphertext_blob'])
    expect(Object.keys(schemaOf('/kms/keys')['properties'] as Node).sort()).toEqual(
      ['KeyName', 'KeyUsage', 'Description', 'Tags', 'description', 'key_name', 'key_usage', 'name', 'tags'].sort(),
    )
    expect(schemaOf('/kms/start')['additionalProperties']).toBe(false)
    expect(document.paths['/rustfs/admin/v3/kms/stop']?.['post']).not.toHaveProperty('requestBody')
    expect(document.paths['/rustfs/admin/v3/kms/status']?.['post']).not.toHaveProperty('requestBody')
    const parameters = (path: string) =>
      document.paths[path]?.['get']?.parameters?.map((parameter) => `${parameter.in} ${parameter.name}`)
    expect(parameters('/rustfs/admin/v3/kms/keys/{key_id}')).toEqual(['path key_id'])
    expect(parameters('/rustfs/admin/v3/kms/keys')).toEqual([
      'query limit',
      'query marker',
      'query status',
      'query usage',
    ])
    expect(parameters('/minio/admin/v3/kms/key/status')).toEqual(['query keyId', 'query key-id', 'query key'])
  })
})
