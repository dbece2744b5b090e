import { diffConfig } from '../config/compare.ts'
import type { ConfigSchema } from '../config/config-schema.ts'
import type { BackendDriver, ConfigDocument } from '../config/driver.ts'
import { isJsonObject, valueAt } from '../config/json.ts'
import { nearest } from '../config/nearest.ts'
import { withRootKey } from '../config/root-key.ts'
import { REDACTED } from '../config/secret.ts'
import type { Realm } from '../envelope/envelope.ts'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { RootRotation } from '../keys/key-backend.ts'
import type { Caller, KmsManager, RootRotationReport } from '../manager/manager-types.ts'
import type { StateDocument, StoreEntry } from '../state/state-document.ts'
import type { RunChange } from './change-events.ts'
import type { Report } from './change-report.ts'
import { publicReason } from './public-reason.ts'
import type { Publisher } from './publisher.ts'
import type { ServiceStatus } from './service-status.ts'
import type { StoredDocument } from './stored-document.ts'

export interface RotateRootOptions {
  readonly schema: ConfigSchema
  readonly document: StoredDocument
  readonly status: ServiceStatus
  readonly publisher: Publisher
  readonly runChange: RunChange
  readonly report: Report
  readonly onWarning: (message: string) => void
}

type KeyRotation = (config: ConfigDocument, reseal: boolean) => Promise<RootRotation>

/**
 * A root key is named in two durable places: in the state document, and by what the store is sealed under. The new one is
 * stored beside the old one first, then the store is changed, then the old one is dropped: whenever the process dies, the
 * next start finds the one that fits (`StoreEntry.changedRoot`).
 */
export function createRotateRoot(options: RotateRootOptions): Pick<KmsManager, 'rotateRoot'> {
  const { schema, document, status, publisher, runChange, report, onWarning } = options

  function serving() {
    const { snapshot } = publisher
    if (snapshot === undefined) throw kmsError('NotRunning', { status: status.state.kind })
    const { active } = snapshot
    const stored = document.current as StateDocument
    const driver = schema.driver(stored.config.backend_type)
    const rotateRoot = active.backend.rotateRoot?.bind(active.backend)
    if (driver.rootKeyFields === undefined || rotateRoot === undefined) {
      throw kmsError('UnsupportedCapability', {
        backend: driver.type,
        capability: 'change the root key of a key store',
      })
    }
    const rotate: KeyRotation = (config, reseal) => active.use(() => active.call(() => rotateRoot(config, { reseal })))
    return { stored, driver, realm: active.realm, rotate, progress: active.backend.resealProgress }
  }

  function commit(realm: Realm, change: (entry: StoreEntry) => StoreEntry, config: ConfigDocument, caller: Caller) {
    const stored = document.current as StateDocument
    const stores = new Map(stored.stores)
    stores.set(realm, change(stores.get(realm) as StoreEntry))
    return document.commit({ ...stored, config, stores }, 'rotate-root', caller)
  }

  /** Runs the change of the store between the two changes of the document. Returns remarks for the operator. */
  async function rotateNamed(
    config: ConfigDocument,
    realm: Realm,
    rotate: () => Promise<RootRotation>,
    caller: Caller,
  ): Promise<RootRotation> {
    const { config: before } = document.current as StateDocument
    await commit(realm, (entry) => ({ ...entry, changedRoot: config }), before, caller)
    let rotated: RootRotation
    try {
      rotated = await rotate()
    } catch (error) {
      if (!mayHaveHappened(error)) {
        await commit(realm, withoutChangedRoot, before, caller).catch((failure: unknown) => {
          onWarning(`The root key that was refused is still stored beside the present one. ${publicReason(failure)}`)
        })
      }
      throw error
    }
    publisher.renameRootKey(config)
    try {
      await commit(realm, (entry) => ({ ...withoutChangedRoot(entry), config }), config, caller)
      return rotated
    } catch (error) {
      const note = `The root key was changed. That could not be stored yet, which the next start makes up for. ${publicReason(error)}`
      onWarning(note)
      return { ...rotated, notes: [...rotated.notes, note] }
    }
  }

  return {
    rotateRoot: (payload, caller, { dryRun = false } = {}) =>
      runChange('kms_root_rotated', caller, async (tellDiff): Promise<RootRotationReport> => {
        const { stored, driver, realm, rotate, progress } = serving()
        const { config, reseal } = readRequest(payload, stored.config, driver, schema)
        const told = (found: RootRotation['reseal']) => (found === undefined ? {} : { reseal: found })
        if (dryRun) return { ...report('unchanged'), ...told(progress) }
        const changed = diffConfig(stored.config, config)
        tellDiff(changed)
        const rotated =
          changed.length > 0
            ? await rotateNamed(config, realm, () => rotate(config, reseal), caller)
            : await rotate(config, reseal)
        const outcome = rotated.changed || changed.length > 0 ? 'root rotated' : 'unchanged'
        return { ...report(outcome, changed, rotated.notes), ...told(rotated.reseal) }
      }),
  }
}

/** Whether a failure leaves open which root key the store has. */
function mayHaveHappened(error: unknown): boolean {
  return !isKmsError(error) || isKmsError(error, 'BackendUnavailable', 'BackendTimeout', 'InternalError')
}

function withoutChangedRoot({ changedRoot: _, ...entry }: StoreEntry): StoreEntry {
  return entry
}

function readRequest(
  payload: unknown,
  current: ConfigDocument,
  driver: BackendDriver,
  schema: ConfigSchema,
): { readonly config: ConfigDocument; readonly reseal: boolean } {
  if (!isJsonObject(payload)) throw kmsError('ValidationError', { path: 'body', reason: 'must be a JSON object' })
  const known = [...(driver.rootKeyFields ?? []), 'reseal']
  const unknown = Object.keys(payload).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    const suggestion = nearest(unknown, known)
    const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
    throw kmsError('ValidationError', { path: unknown.slice(0, 64), reason: `is not a field of this call${hint}` })
  }
  const { reseal = false, ...given } = payload
  if (typeof reseal !== 'boolean')
    throw kmsError('ValidationError', { path: 'reseal', reason: 'must be true or false' })
  for (const path of driver.secrets) {
    const secret = valueAt(given, path)
    if (typeof secret === 'string' && (secret.trim() === '' || secret === REDACTED)) {
      throw kmsError('ValidationError', { path: path.join('.'), reason: 'must be the new root key' })
    }
  }
  const fields = Object.entries(given).filter(([, value]) => value !== null)
  return { config: schema.parse({ ...withRootKey(current, driver, {}), ...Object.fromEntries(fields) }), reseal }
}
