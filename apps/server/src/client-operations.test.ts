import { createAdminApi } from '@kms/admin-api'
import { operations } from '@kms/client'
import type { KmsManager } from '@kms/core'
import { createRootCredentials } from '@kms/iam'
import { expect, it } from 'vitest'

type Schema = { readonly $ref?: string; readonly properties?: object; readonly additionalProperties?: unknown }
interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: { readonly 'application/json'?: { readonly schema: Schema } } }
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** Operations the client has no use for: other spellings of ones it has. */
const OTHER_SPELLINGS = new Set(['describeKeyByQuery'])

async function readDocument(): Promise<Document> {
  const credentials = createRootCredentials({ accessKeyId: 'admin', secretAccessKey: 'admin' })
  const { app } = createAdminApi({ manager: {} as KmsManager, credentials })
  return (await (await app.request('http://h/rustfs/admin/v3/openapi.json')).json()) as Document
}

/** The canonical operations of the document, aliases and second methods left out. */
function canonical({ paths }: Document) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { operationId }]) => !operationId.includes('_') && !OTHER_SPELLINGS.has(operationId))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

it('the client has every operation of the OpenAPI document, and no other', async () => {
  const document = await readDocument()
  const documented = canonical(document).map(
    ({ method, path, operation }) => `${operation.operationId} ${method} ${path}`,
  )
  const known = Object.entries(operations).map(
    ([name, { method, path }]) => `${name} ${method} /rustfs/admin/v3${path}`,
  )
  expect(known.toSorted()).toEqual(documented.toSorted())
})

it('with parameters and fields the document knows, and all that it demands', async () => {
  const document = await readDocument()
  const resolve = (schema: Schema | undefined): Schema | undefined =>
    schema?.$ref === undefined ? schema : resolve(document.components.schemas[schema.$ref.split('/').at(-1) as string])
  for (const { operation } of canonical(document)) {
    const name = operation.operationId as keyof typeof operations
    const { query, body } = operations[name]
    const parameters = operation.parameters?.filter((each) => each.in === 'query').map((each) => each.name) ?? []
    expect(
      query.filter((each) => !parameters.includes(each)),
      name,
    ).toEqual([])
    const schema = resolve(operation.requestBody?.content['application/json']?.schema)
    expect(schema !== undefined, `${name} takes a body`).toBe(body !== undefined)
    if (schema === undefined || body === undefined || body === 'any') continue
    const required = 'required' in schema ? (schema.required as string[]) : []
    expect(
      body.filter((each) => !Object.hasOwn(schema.properties ?? {}, each)),
      name,
    ).toEqual([])
    expect(
      required.filter((each) => !body.includes(each)),
      name,
    ).toEqual([])
  }
})
