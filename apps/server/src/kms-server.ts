import { type AdminApi, type AdminApiOptions, createAdminApi } from '@kms/admin-api'
import { localDriver } from '@kms/backend-local'
import {
  type BackendDriver,
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  isKmsError,
  type KmsManager,
  kmsError,
  type ServerKeys,
  systemRandom,
} from '@kms/core'
import { type Bootstrap, bootstrapDocument } from './bootstrap-document.ts'
import { type DataDirectory, prepareDataDirectory } from './data-directory.ts'
import { checkDefaultCredentials, refuseDefaultCredentials } from './default-credentials.ts'
import { logAdminEntry, logManagerEvent } from './event-log.ts'
import { createClientFinder } from './forwarded-peer.ts'
import { createHttpServer, type HttpServer, type TlsMaterial } from './http-server.ts'
import { type Identities, openIdentities } from './identities.ts'
import type { LogFor } from './log.ts'
import { createRouter } from './router.ts'
import { findServerKeys } from './server-keys.ts'
import { lockDataDirectory, type ServerLock } from './server-lock.ts'
import { type Settings, settingTable } from './setting-table.ts'
import type { GivenSettings } from './settings.ts'
import { exitCodes, settingsError, startupError } from './startup-error.ts'
import { readTlsMaterial } from './tls-material.ts'

export interface KmsServerOptions {
  readonly given: GivenSettings
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly logFor: LogFor
}

/** A server that listens. */
export interface KmsServer {
  readonly port: number
  readonly defaultCredentials: boolean
  readonly manager: Pick<KmsManager, 'status'>
  /** Reads certificate and key again; a pair that cannot be used is logged, and the old one stays. */
  reloadTls(): Promise<void>
  /** Lets requests under way finish, bounded by `KMS_DRAIN_SECONDS`, and gives the data directory back. */
  stop(): Promise<void>
}

/**
 * Starts a server: settings, lock, server key, stored state, backend, listener, in this order, so that nothing is
 * touched before what guards it. Throws a `StartupError` or a `KmsError` (see `exitCodeOf`); nothing is left running
 * or locked then.
 */
export async function startKmsServer({ given, environment, logFor }: KmsServerOptions): Promise<KmsServer> {
  const { settings } = given
  const log = logFor('server')
  const defaultCredentials = checkDefaultCredentials(settings)
  const bootstrap = bootstrapDocument(given)
  const tls = await readTlsMaterial(settings)
  const drivers = (data: Pick<DataDirectory, 'path' | 'rootKeys'>) => createDrivers(settings, environment, data)
  checkBackend(bootstrap, drivers({ path: settings.KMS_DATA_DIR, rootKeys: settings.KMS_DATA_DIR }))
  tellSettings(given, defaultCredentials, log.warn)

  const data = await prepareDataDirectory(settings.KMS_DATA_DIR)
  if (data.open) log.warn('Others than the owner may look into the data directory.', { path: data.path })
  const { host, port } = settings.KMS_LISTEN
  const lock = await lockDataDirectory(data.path, `${host}:${port}`)
  let manager: KmsManager | undefined
  let identities: Identities | undefined
  try {
    const keys = await prepareServerKeys(settings, data, log.info)
    identities = await openIdentities({ settings, keys, stateDirectory: data.state, log: logFor('iam') })
    manager = await bootManager({ settings, keys, data, drivers: drivers(data), bootstrap, logFor })
    return await listen({ settings, manager, identities, lock, tls, defaultCredentials, logFor })
  } catch (error) {
    identities?.close()
    try {
      await manager?.close()
    } finally {
      await lock.release()
    }
    throw error
  }
}

/** Exit code of a start that failed. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') return error.exitCode
  return isKmsError(error) ? exitCodes.state : exitCodes.failed
}

function createDrivers(
  settings: Settings,
  environment: KmsServerOptions['environment'],
  { path, rootKeys }: Pick<DataDirectory, 'path' | 'rootKeys'>,
): readonly BackendDriver[] {
  const { KMS_ALLOW_KEY_DIRS: allowKeyDirs, KMS_ALLOW_SECRET_FILES: allowSecretFiles } = settings
  return [
    localDriver({
      rootKeyDir: rootKeys,
      environment: (name) => environment[name],
      policy: {
        forbiddenDirs: [path],
        ...(allowKeyDirs === undefined ? {} : { allowKeyDirs }),
        ...(allowSecretFiles === undefined ? {} : { allowSecretFiles }),
      },
    }),
  ]
}

/** Refuses a bootstrap for a backend this release does not have, before anything is created for it. */
function checkBackend({ document }: Bootstrap, drivers: readonly BackendDriver[]): void {
  const backend = document?.['backend_type']
  if (
    document === undefined ||
    drivers.some(({ type, aliases }) => type === backend || aliases.includes(String(backend)))
  )
    return
  throw settingsError('RUSTFS_KMS_BACKEND', `must be ${drivers.map(({ type }) => type).join(' or ')} in this release`)
}

function tellSettings({ given }: GivenSettings, defaultCredentials: boolean, warn: (message: string) => void): void {
  const idle = given.filter((name) => settingTable[name].withoutEffect)
  if (idle.length > 0) warn(`These settings have no effect in this release: ${idle.join(', ')}.`)
  if (defaultCredentials) {
    warn(
      'The root credentials are the default ones; they are taken from programs on this machine only. Set KMS_ROOT_ACCESS_KEY and KMS_ROOT_SECRET_KEY.',
    )
  }
}

async function prepareServerKeys(
  settings: Settings,
  data: DataDirectory,
  info: (message: string, fields: Readonly<Record<string, unknown>>) => void,
): Promise<ServerKeys> {
  const { keys, origin } = await findServerKeys({ settings, dataDirectory: data.path, stateDirectory: data.state })
  if (origin === 'generated') {
    info('A server key was generated. Keep a copy of it apart from the data.', { path: `${data.path}/server.key` })
  }
  return keys
}

interface BootOptions {
  readonly settings: Settings
  readonly keys: ServerKeys
  readonly data: DataDirectory
  readonly drivers: readonly BackendDriver[]
  readonly bootstrap: Bootstrap
  readonly logFor: LogFor
}

async function bootManager(options: BootOptions): Promise<KmsManager> {
  const { settings, keys, data, drivers, bootstrap, logFor } = options
  const log = logFor('server')
  const state = logFor('state')
  const events = logFor('manager')
  const manager = createKmsManager({
    drivers,
    configStore: await createFileConfigStore({
      directory: data.state,
      drivers,
      keys,
      random: systemRandom,
      onRecovered: (message) => state.warn(message),
    }),
    canaryStore: createFileCanaryStore({
      directory: data.canaries,
      random: systemRandom,
      onDamaged: (message) => state.warn(message),
    }),
    onEvent: (event) => logManagerEvent(events, event),
    allowImmediateDeletion: settings.KMS_ALLOW_IMMEDIATE_DELETION ?? false,
  })
  try {
    await manager.boot()
    await applyBootstrap(manager, bootstrap, (message) => log.warn(message))
  } catch (error) {
    await manager.close()
    throw error
  }
  return manager
}

/**
 * Configures and starts from RustFS's settings, as one step, when nothing is stored: a start that fails stores nothing,
 * so the next one tries again.
 */
async function applyBootstrap(
  manager: KmsManager,
  { document, names }: Bootstrap,
  warn: (message: string) => void,
): Promise<void> {
  if (names.length === 0) return
  if (document === undefined) {
    warn(`RUSTFS_KMS_ENABLE is not on, so these settings are ignored: ${names.join(', ')}.`)
    return
  }
  const stored = manager.config()
  if (stored !== undefined) {
    warn(`A configuration is stored (revision ${stored.revision}), so these settings are ignored: ${names.join(', ')}.`)
    return
  }
  try {
    await manager.reconfigure(document, { principal: 'bootstrap' })
  } catch (error) {
    if (!isKmsError(error)) throw error
    const exitCode = error.code === 'ValidationError' ? exitCodes.settings : exitCodes.failed
    throw startupError(exitCode, `The RUSTFS_KMS_* settings could not be applied: ${error.message}`, error)
  }
}

interface ListenOptions {
  readonly settings: Settings
  readonly manager: KmsManager
  readonly identities: Identities
  readonly lock: ServerLock
  readonly tls: TlsMaterial | undefined
  readonly defaultCredentials: boolean
  readonly logFor: LogFor
}

async function listen({
  settings,
  manager,
  identities,
  lock,
  tls,
  defaultCredentials,
  logFor,
}: ListenOptions): Promise<KmsServer> {
  const log = logFor('server')
  const { listener, stsListener } = createApi({ settings, manager, identities, defaultCredentials, logFor })
  const server: HttpServer = createHttpServer({
    handler: createRouter({
      manager,
      admin: listener,
      sts: stsListener,
      isDraining: () => server.draining,
    }),
    ...(tls === undefined ? {} : { tls }),
  })
  const { host } = settings.KMS_LISTEN
  const port = await server.listen(settings.KMS_LISTEN).catch((error: unknown) => {
    throw startupError(
      exitCodes.failed,
      `KMS_LISTEN ${host}:${settings.KMS_LISTEN.port} cannot be listened on (${(error as NodeJS.ErrnoException).code}).`,
      error,
    )
  })
  try {
    await lock.announce(`${host}:${port}`)
  } catch (error) {
    await server.drain(0)
    throw error
  }
  return {
    port,
    defaultCredentials,
    manager,

    async reloadTls() {
      try {
        const material = await readTlsMaterial(settings)
        if (material === undefined) return
        server.replaceTls(material)
        log.info('The certificate was read again.', { event: 'tls_reloaded' })
      } catch (error) {
        log.error('The certificate could not be read again; the one before stays in use.', {
          event: 'tls_reload_failed',
          reason: (error as Error).message,
        })
      }
    },

    async stop() {
      log.info('Stopping: requests under way may finish.', { event: 'draining', seconds: settings.KMS_DRAIN_SECONDS })
      const deadline = performance.now() + settings.KMS_DRAIN_SECONDS * 1000
      await server.drain(settings.KMS_DRAIN_SECONDS)
      identities.close()
      const left = Math.max(deadline - performance.now(), LEAST_CLOSING_MS)
      if (!(await endsWithin(manager.close(), left))) {
        log.warn('A key store did not close in time.', { event: 'close_cut_off' })
      }
      await lock.release()
      log.info('Stopped.', { event: 'stopped' })
    },
  }
}

/** Closing a backend that does not answer must not outlast the patience of whoever stops the server. */
const LEAST_CLOSING_MS = 1000

async function endsWithin(work: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

function createApi({
  settings,
  manager,
  identities,
  defaultCredentials,
  logFor,
}: Pick<ListenOptions, 'settings' | 'manager' | 'identities' | 'defaultCredentials' | 'logFor'>): AdminApi {
  const log = logFor('admin')
  const { credentials, directory, sts } = identities
  const { KMS_TRUSTED_PROXIES: proxies } = settings
  return createAdminApi({
    manager,
    credentials,
    directory,
    sts,
    settings: {
      compatServerInfo: settings.KMS_COMPAT_SERVER_INFO,
      authFailuresPerMinute: settings.KMS_AUTH_FAILURES_PER_MINUTE,
      ...(settings.KMS_REGION === undefined ? {} : { region: settings.KMS_REGION }),
    },
    log: (entry) => logAdminEntry(log, entry),
    ...(proxies === undefined ? {} : { peer: peerBehind(proxies) }),
    ...(defaultCredentials ? { guard: guardDefaultCredentials } : {}),
  })
}

function peerBehind(proxies: readonly string[]): NonNullable<AdminApiOptions['peer']> {
  const findClient = createClientFinder(proxies)
  return ({ peer: { address: remote, secure }, rawHeaders }) => {
    const address = findClient(remote, rawHeaders)
    return address === undefined ? { secure } : { address, secure }
  }
}

function guardDefaultCredentials({ rawHeaders }: { readonly rawHeaders: readonly string[] }): void {
  const reason = refuseDefaultCredentials(rawHeaders)
  if (reason !== undefined) throw kmsError('AccessDenied', { reason })
}
