import { ADMIN_PREFIX, type Method, type PublicRoute, pathsOf, type Route } from '../src/routes/route.ts'
import { routes } from '../src/routes/route-table.ts'
import type { Harness } from './harness.ts'
import { DOCUMENT, root, wrapMaterial } from './harness.ts'

/** A request that a running service answers with 200, time and again. */
export interface Sample {
  /** Appended to the path. */
  readonly query?: string
  /** Stands for `{key_id}` or `{realm}`. */
  readonly pathKey?: string
  readonly body?: object
  /** What has to be there. */
  readonly prepare?: () => Promise<unknown>
  /** Rights beside one of the route's. */
  readonly needs?: readonly string[]
}

/** One sample for each operation. */
export async function samplesFor(harness: Harness): Promise<ReadonlyMap<string, Sample>> {
  const context = { tenant: 'a' }
  const made = await harness.send('POST', '/kms/encrypt', {
    as: root,
    body: { plaintext: 'c2VjcmV0', encryption_context: context },
  })
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'kms:Decrypt', Resource: '*' }] }
  const archive = (await harness.send('POST', '/kms/backup', { as: root })).bytes
  const { directory } = harness
  const addUser = () => directory.addUser({ accessKeyId: 'sample-user', secretAccessKey: 'battery staple' })
  const addPolicy = () => directory.addPolicy('sample-policy', policy)
  const { manager, driver } = harness
  const { keys } = manager
  const insider = { authorize: () => {}, caller: { principal: 'test' } }
  const otherKey = async () => {
    await keys.create({ name: 'other', ...insider }).catch(() => {})
    await keys.cancelDeletion({ key: 'other', ...insider })
  }
  const alias = () => keys.addAlias({ key: 'main-key', alias: 'sample-alias', ...insider })
  const caller = { principal: 'test' }
  /** Moves there and back again, so that the store there is a retired one. */
  const retire = async (name: string) => {
    await manager.reconfigure({ name, default_key_id: null }, caller)
    await manager.reconfigure({ ...DOCUMENT }, caller)
    return driver.stores.get(name)?.realm as string
  }
  const [retired, removed] = [await retire('retired'), await retire('removed')]
  const rollback = { revision: 1 }
  let changes = 0
  const imported = { token: '0'.repeat(32), encrypted_key_material: 'AAAA' }
  const importToken = async () => {
    const { token, publicKey } = await keys.importParameters(insider)
    const encrypted_key_material = wrapMaterial(Buffer.alloc(32, 1), publicKey.toString('base64'))
    Object.assign(imported, { token, encrypted_key_material })
  }
  const user = '?accessKey=sample-user'
  const named = '?name=sample-policy'
  return new Map<string, Sample>([
    ['getStatus', {}],
    [
      'configure',
      { body: DOCUMENT, prepare: () => manager.reconfigure({ ...DOCUMENT, cache_ttl_seconds: null }, caller) },
    ],
    ['reconfigure', { body: { timeout_seconds: 30 } }],
    ['start', { body: { force: false } }],
    ['stop', {}],
    ['getConfig', {}],
    ['getConfigHistory', {}],
    [
      'rollback',
      {
        body: rollback,
        prepare: async () => (rollback.revision = (await manager.history())[0]?.revision as number),
      },
    ],
    [
      'confirm',
      {
        prepare: () =>
          manager.reconfigure({ cache_ttl_seconds: 1000 + changes++ }, caller, { confirmWithinSeconds: 60 }),
      },
    ],
    ['listRetired', {}],
    ['mendRetired', { pathKey: retired, body: { timeout_seconds: 9 } }],
    [
      'removeRetired',
      { pathKey: removed, body: { confirm_realm: removed, force: true }, prepare: () => retire('removed') },
    ],
    ['clearCache', {}],
    ['rotateRoot', { body: { reseal: true } }],
    ['backup', { body: { passphrase: 'correct horse battery' } }],
    // The other samples change what it holds.
    ['restore', { query: '?conflict=skip', body: archive }],
    ['createKey', { body: { description: 'a key with words' } }],
    ['listKeys', { query: '?limit=2' }],
    ['describeKey', { pathKey: 'main-key' }],
    ['describeKeyByQuery', { query: '?keyId=main-key' }],
    ['rotateKey', { body: { key_id: 'main-key' } }],
    ['setRotationPeriod', { body: { key_id: 'main-key', days: 90 } }],
    ['enableKey', { body: { key_id: 'main-key' } }],
    // The other samples wrap with main-key.
    ['disableKey', { body: { key_id: 'other' }, prepare: otherKey }],
    ['deleteKey', { body: { key_id: 'other' }, prepare: otherKey }],
    ['cancelKeyDeletion', { body: { key_id: 'main-key' } }],
    ['getImportParameters', {}],
    ['importKey', { body: imported, prepare: importToken }],
    ['updateKeyDescription', { body: { key_id: 'main-key', description: 'new words' } }],
    ['tagKey', { body: { key_id: 'main-key', tags: { team: 'shop' } } }],
    ['untagKey', { body: { key_id: 'main-key', tag_keys: ['team'] } }],
    ['addAlias', { body: { key_id: 'main-key', alias: 'sample-alias' } }],
    ['removeAlias', { body: { key_id: 'main-key', alias: 'sample-alias' }, prepare: alias }],
    ['generateDataKey', { body: { key_id: 'main-key', encryption_context: context } }],
    ['encrypt', { body: { plaintext: 'c2VjcmV0' } }],
    ['decrypt', { body: { ciphertext_blob: made.json['ciphertext_blob'], encryption_context: context } }],
    ['batch', { body: { items: [{ operation: 'generate_data_key', key_id: 'main-key' }] } }],
    ['addUser', { query: user, body: { secretKey: 'battery staple', status: 'enabled' } }],
    ['removeUser', { query: user, prepare: addUser }],
    ['listUsers', { prepare: addUser }],
    ['getUser', { query: user, prepare: addUser }],
    ['setUserStatus', { query: `${user}&status=disabled`, prepare: addUser, needs: ['admin:DisableUser'] }],
    ['addPolicy', { query: named, body: policy }],
    ['listPolicies', { prepare: addPolicy }],
    ['getPolicy', { query: named, prepare: addPolicy }],
    ['removePolicy', { query: named, prepare: addPolicy }],
    ['setPolicy', { query: '?policyName=KMSAuditor,KMSKeyUser&userOrGroup=sample-user', prepare: addUser }],
    ['getOpenApiDocument', {}],
  ])
}

/** A route at one of its paths with one of its methods. */
export interface Endpoint {
  readonly route: Route
  readonly method: Method
  readonly path: string
}

export const endpoints: readonly Endpoint[] = routes.flatMap((route) =>
  pathsOf(route).flatMap((path) => route.methods.map((method) => ({ route, method, path }))),
)

/** All but those that are public. */
export const signedEndpoints: readonly (Endpoint & { readonly route: Exclude<Route, PublicRoute> })[] =
  endpoints.flatMap(({ route, ...endpoint }) => (route.scope === 'public' ? [] : [{ route, ...endpoint }]))

/** The canonical endpoints that take a document as their body. */
export const bodyEndpoints: readonly Endpoint[] = endpoints.filter(
  ({ method, path, route }) =>
    path === ADMIN_PREFIX + route.paths[0] &&
    !(route.scope === 'service' && route.takesBytes) &&
    (['POST', 'PUT'].includes(method) || (method === 'DELETE' && 'body' in route)),
)

export function targetOf(path: string, { pathKey = '', query = '' }: Sample): string {
  return path.replace(/\{(?:key_id|realm)\}$/, encodeURIComponent(pathKey)) + query
}
