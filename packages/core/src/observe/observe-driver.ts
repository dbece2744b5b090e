import type { BackendDriver } from '../config/driver.ts'
import type { Realm } from '../envelope/envelope.ts'
import type { KeyBackend } from '../keys/key-backend.ts'
import type { PeerTelemetry } from './peer-telemetry.ts'

type VerbOf<M extends keyof KeyBackend> = NonNullable<KeyBackend[M]> extends (...args: never[]) => unknown ? M : never
type BackendVerb = { [M in keyof KeyBackend]-?: VerbOf<M> }[keyof KeyBackend]

/** What can be asked of a backend; `open` of its driver. */
export type BackendOperation = BackendVerb | 'open'

/** One operation on a backend. */
export interface BackendCall {
  /** The driver's `type`. */
  readonly backend: string
  /** Of the store; absent for `open`. */
  readonly realm?: Realm
  readonly operation: BackendOperation
}

/** Sees every operation on the backends of a driver. */
export interface BackendObserver {
  /**
   * Runs `work` and returns what it returns, or throws what it throws; what it does around that is its own affair, and must
   * not fail.
   */
  around<T>(call: BackendCall, work: () => Promise<T>): Promise<T>
  /** Handed to drivers, for backends that talk to peers. */
  peer(backend: string): PeerTelemetry
}

const verbs: Readonly<Record<BackendVerb, true>> = {
  create: true,
  describe: true,
  list: true,
  update: true,
  rotate: true,
  destroy: true,
  wrap: true,
  wrapMany: true,
  unwrap: true,
  unwrapMany: true,
  finishLeftovers: true,
  rotateRoot: true,
  backup: true,
  restore: true,
  health: true,
  close: true,
}

/** Every operation an observer may be told of. */
export const backendOperations: readonly BackendOperation[] = ['open', ...(Object.keys(verbs) as BackendVerb[])]

/** A driver whose every operation, `open` included, passes through an observer. */
export function observeDriver(driver: BackendDriver, observer: BackendObserver): BackendDriver {
  const { type: backend } = driver
  return {
    ...driver,
    open: (config, options) =>
      observer.around({ backend, operation: 'open' }, async () => {
        const opened = await driver.open(config, { ...options, peer: observer.peer(backend) })
        return { ...opened, backend: observeBackend(opened.backend, backend, observer) }
      }),
  }
}

/** Inherits what it does not observe, so that a backend may have more to it than the port. */
function observeBackend(inner: KeyBackend, backend: string, observer: BackendObserver): KeyBackend {
  const observed: PropertyDescriptorMap = {}
  for (const operation of Object.keys(verbs) as BackendVerb[]) {
    const verb = inner[operation] as ((...args: unknown[]) => Promise<unknown>) | undefined
    if (verb === undefined) continue
    // Made once: these are on the path of every request.
    const call: BackendCall = { backend, realm: inner.realm, operation }
    const value = (...args: unknown[]) => observer.around(call, () => verb.apply(inner, args))
    observed[operation] = { value, enumerable: true }
  }
  return Object.create(inner, observed) as KeyBackend
}
