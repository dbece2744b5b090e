import { z } from 'zod'
import type { BackendDriver, ConfigDocument } from '../config/driver.ts'
import { Secret } from '../config/secret.ts'
import { secretField } from '../config/secret-field.ts'
import { kmsError } from '../errors/kms-error.ts'
import { restoreMemoryStore } from './memory-archive.ts'
import { createMemoryBackend, type MemoryBackend, type MemoryBackendOptions } from './memory-backend.ts'
import { createMemoryStore, type MemoryStores } from './memory-store.ts'

/** What its backends are made with besides is as in `createMemoryBackend`. */
export interface MemoryDriverOptions extends Pick<MemoryBackendOptions, 'retiresIds' | 'capabilities'> {
  /** Places that drivers share; new ones unless given. */
  readonly stores?: MemoryStores
}

/** The driver of the in-memory backend, with what a test wants to look at. */
export interface MemoryDriver extends BackendDriver {
  readonly stores: MemoryStores
  /** Every backend this driver opened, oldest first, with the configuration it was opened with. */
  readonly opened: readonly { readonly config: ConfigDocument; readonly backend: MemoryBackend }[]
}

/**
 * A driver that has one of everything the port knows, over in-memory stores that keep their realm across opens:
 * - `name` (also `store_name`): the place, required; it is the identity;
 * - `endpoint`: `memory://…`, what stored secrets are bound to;
 * - `root_key`: a secret that the store is sealed with from its first day on (`MemoryStore.rootKey`);
 * - `token`: a secret, exclusive with `token_file`, which needs an `endpoint`;
 * - `auth`: `{"password":{"user","secret" | "secret_file"}}` or `{"certificate":{"subject"}}` (`Password`, `Certificate` accepted).
 */
export function memoryDriver({ stores = new Map(), ...behaviour }: MemoryDriverOptions = {}): MemoryDriver {
  const opened: { config: ConfigDocument; backend: MemoryBackend }[] = []
  return {
    stores,
    opened,
    type: 'memory',
    aliases: ['Memory'],
    fieldAliases: new Map([['store_name', 'name']]),
    shape: {
      name: z.string().min(1),
      endpoint: z
        .string()
        .regex(/^memory:\/\/[a-z0-9.:-]+$/, 'must be memory://<host>')
        .optional(),
      root_key: secretField().optional(),
      token: secretField().optional(),
      token_file: z.string().min(1).optional(),
      auth: z
        .union([
          z.strictObject({
            password: z.strictObject({
              user: z.string(),
              secret: secretField().optional(),
              secret_file: z.string().min(1).optional(),
            }),
          }),
          z.strictObject({ certificate: z.strictObject({ subject: z.string() }) }),
        ])
        .optional(),
    },
    check(config) {
      if (config['token_file'] === undefined || config['endpoint'] !== undefined) return undefined
      return { path: 'token_file', reason: 'needs an endpoint' }
    },
    canonicalise(field, value) {
      if (field !== 'auth' || typeof value !== 'object' || value === null || Array.isArray(value)) return value
      return Object.fromEntries(
        Object.entries(value).map(([variant, inner]) => [variants.get(variant) ?? variant, inner]),
      )
    },
    rootKeyFields: ['root_key'],
    secrets: [['root_key'], ['token'], ['auth', 'password', 'secret']],
    exclusive: [
      ['token', 'token_file'],
      ['auth.password.secret', 'auth.password.secret_file'],
    ],
    variants: ['auth'],
    identity: ({ name }) => (typeof name === 'string' && name !== '' ? name : undefined),
    secretBinding: ({ endpoint }) => (typeof endpoint === 'string' ? endpoint : ''),
    summary: (config) => ({
      backend_type: 'memory',
      name: config['name'] as string,
      endpoint: (config['endpoint'] as string | undefined) ?? null,
      has_token: config['token'] !== undefined,
    }),

    async open(config, options) {
      const place = config['name'] as string
      const store = stores.get(place) ?? createMemoryStore()
      await store.faults.pass('open')
      options.signal.throwIfAborted()
      const token = config['token']
      if (store.requiredToken !== undefined && !(token instanceof Secret && token.reveal() === store.requiredToken)) {
        throw kmsError('BackendUnavailable', { store: place, reason: 'the token was refused' })
      }
      const { expectedRealm, changedRoot } = options
      if (expectedRealm !== undefined && store.realm === undefined) {
        throw kmsError('RealmMissing', { realm: expectedRealm, place })
      }
      if (expectedRealm !== undefined && store.realm !== expectedRealm) {
        throw kmsError('RealmConflict', { realm: expectedRealm, place, reason: 'another store is there' })
      }
      const initialised = store.realm === undefined
      if (initialised && store.foreign) throw kmsError('StoreNotOurs', { path: place, reason: 'it holds other things' })
      if (initialised && !options.mayInitialise) {
        throw kmsError('StoreNotInitialised', { place })
      }
      const rootKey = rootKeyOf(config)
      const rootChanged =
        changedRoot !== undefined && store.rootKey !== rootKey && store.rootKey === rootKeyOf(changedRoot)
      if (!initialised && !rootChanged && store.rootKey !== rootKey) throw kmsError('RootKeyMismatch', { path: place })
      if (initialised && rootKey !== undefined) store.rootKey = rootKey
      const backend = createMemoryBackend({ store, clock: options.clock, random: options.random, ...behaviour })
      stores.set(place, store)
      opened.push({ config, backend })
      return { backend, initialised, notes: [], ...(rootChanged ? { rootChanged } : {}) }
    },

    async restore(config, archive, options) {
      const place = config['name'] as string
      const store = stores.get(place) ?? createMemoryStore()
      const { realm: archived } = archive.header
      if (store.foreign) throw kmsError('StoreNotOurs', { path: place, reason: 'it holds other things' })
      const realm = store.realm ?? options.expectedRealm ?? archived
      if (realm !== archived) throw kmsError('ForeignArchive', { archived, place, realm })
      const rootKey = rootKeyOf(config)
      if (store.realm !== undefined && store.rootKey !== rootKey) throw kmsError('RootKeyMismatch', { path: place })
      const report = await restoreMemoryStore(store, archive, options, options)
      if (options.dryRun || store.realm !== undefined) return report
      store.realm = archived
      if (rootKey !== undefined) store.rootKey = rootKey
      stores.set(place, store)
      return report
    },
  }
}

function rootKeyOf({ root_key: secret }: ConfigDocument): string | undefined {
  return secret instanceof Secret ? secret.reveal() : undefined
}

const variants: ReadonlyMap<string, string> = new Map([
  ['Password', 'password'],
  ['Certificate', 'certificate'],
])
