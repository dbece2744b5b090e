import type { Buffer } from 'node:buffer'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isKmsError, type KmsError, kmsError } from '../../errors/kms-error.ts'
import { inLanes } from '../../in-lanes.ts'
import type { KeyBackend, KeyRecord } from '../../keys/key-backend.ts'
import type { OpenStore } from '../../store/open-store.ts'
import type { KeyAccess } from './key-access.ts'

/** A record on its way, and what came of it. */
interface Lookup {
  readonly record: Promise<KeyRecord>
  found?: KeyRecord
}

/**
 * Access for operations that run side by side: each record is read once, and what is wrapped or unwrapped under one key
 * goes to the backend in one piece, where it takes pieces. Made for one batch and thrown away.
 */
export function createBatchAccess(): KeyAccess {
  const stores = new Map<OpenStore, Map<string, Lookup>>()
  let reading: Promise<unknown> | undefined

  function lookupsOf(store: OpenStore): Map<string, Lookup> {
    let lookups = stores.get(store)
    if (lookups === undefined) stores.set(store, (lookups = new Map()))
    return lookups
  }

  function look(store: OpenStore, name: string, cached: boolean): Lookup {
    const lookup: Lookup = { record: store.describe(name, cached) }
    lookup.record.then(
      (record) => {
        lookup.found = record
      },
      () => {},
    )
    return lookup
  }

  /** Settles when every read begun in this turn has ended, so that those who waited for one go on together. */
  function allRead(): Promise<unknown> {
    reading ??= nextTurn().then(() => {
      reading = undefined
      return Promise.allSettled([...stores.values()].flatMap((each) => [...each.values()]).map(({ record }) => record))
    })
    return reading
  }

  return {
    async describe(store, name, cached) {
      const lookups = lookupsOf(store)
      const lookup = lookups.get(name) ?? look(store, name, cached)
      lookups.set(name, lookup)
      await allRead()
      return lookup.record
    },

    outdated(store, { keyId, etag }) {
      const lookups = lookupsOf(store)
      const old = [...lookups].filter(([, { found }]) => found?.keyId === keyId && found.etag === etag)
      if (old.length === 0) return
      for (const [name] of old) lookups.delete(name)
      store.forget(keyId)
    },

    wrap: collect(
      ({ keyId, version }) => `${version} ${keyId}`,
      (backend, request) => backend.wrap(request),
      (backend) => backend.wrapMany?.bind(backend),
    ),
    unwrap: collect(
      ({ keyId }) => keyId,
      (backend, request) => backend.unwrap(request),
      (backend) => backend.unwrapMany?.bind(backend),
    ),
  }
}

/** Requests on their way at the same time, where a backend takes them one by one. */
const WIDTH = 32

interface Waiting<R> {
  readonly request: R
  resolve(bytes: Buffer): void
  reject(error: unknown): void
}

/** Gathers the requests of one turn and sends those of one group together. */
function collect<R>(
  groupOf: (request: R) => string,
  one: (backend: KeyBackend, request: R) => Promise<Buffer>,
  many: (backend: KeyBackend) => ((requests: readonly R[]) => Promise<readonly (Buffer | KmsError)[]>) | undefined,
): (store: OpenStore, request: R) => Promise<Buffer> {
  let gathered = new Map<OpenStore, Map<string, Waiting<R>[]>>()

  async function sendAll(): Promise<void> {
    await nextTurn()
    const stores = [...gathered]
    gathered = new Map()
    await Promise.all(stores.flatMap(([store, groups]) => [...groups.values()].map((group) => send(store, group))))
  }

  async function send(store: OpenStore, group: readonly Waiting<R>[]): Promise<void> {
    const together = many(store.backend)
    if (together === undefined || group.length === 1) {
      await inLanes(group, WIDTH, ({ request, resolve, reject }) =>
        store.call((backend) => one(backend, request)).then(resolve, reject),
      )
      return
    }
    try {
      const outcomes = await store.call(() => together(group.map(({ request }) => request)))
      for (const [index, { resolve, reject }] of group.entries()) {
        const outcome = outcomes[index] ?? kmsError('InternalError')
        if (isKmsError(outcome)) reject(outcome)
        else resolve(outcome)
      }
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  return (store, request) =>
    new Promise((resolve, reject) => {
      if (gathered.size === 0) void sendAll()
      let groups = gathered.get(store)
      if (groups === undefined) gathered.set(store, (groups = new Map()))
      const name = groupOf(request)
      const group = groups.get(name)
      const waiting: Waiting<R> = { request, resolve, reject }
      if (group === undefined) groups.set(name, [waiting])
      else group.push(waiting)
    })
}
