import type { Buffer } from 'node:buffer'
import { type AdminApi, type AdminApiOptions, createAdminApi, createFailureThrottle } from '@kms/admin-api'
import { localDriver } from '@kms/backend-local'
import { vaultDriver } from '@kms/backend-vault'
import {
  type BackendDriver,
  createFileCanaryStore,
  createFileConfigStore,
  createFileImportStore,
  createFileOfflineKeyStore,
  createKmsManager,
  isKmsError,
  type KmsManager,
  kmsError,
  observeDriver,
  type ServerKeys,
  systemClock,
  systemRandom,
} from '@kms/core'
import { bucketOfHost, createS3Api, type ObjectStore, type S3Api, type S3LogEntry } from '@kms/s3-api'
import { createObjectCipher, dataPlaneKeyWrapping, type ObjectCipher } from '@kms/sse'
import { openAudit, type ServerAudit } from './audit.ts'
import { createBackendObserver } from './backend-observer.ts'
import { type Bootstrap, bootstrapDocument } from './bootstrap-document.ts'
import { type DataDirectory, prepareDataDirectory } from './data-directory.ts'
import { checkDefaultCredentials, refuseDefaultCredentials } from './default-credentials.ts'
import { createClientFinder } from './forwarded-peer.ts'
import { unreadiness } from './health.ts'
import { createHttpServer, type HttpServer, type TlsMaterial } from './http-server.ts'
import { type Identities, openIdentities } from './identities.ts'
import { logAdminEntry, logManagerEvent } from './log/event-log.ts'
import type { Log } from './log/log.ts'
import { logS3Entry } from './log/object-log.ts'
import { createKeyCensus } from './metrics/key-census.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import { createOpenMetrics, metricsPage } from './metrics/metrics-page.ts'
import { objectKeyUse, openObjectStorage } from './object-storage.ts'
import { createRouter } from './router.ts'
import { findBackupKey, findServerKeys } from './server-keys.ts'
import { lockDataDirectory, type ServerLock } from './server-lock.ts'
import type { ListenAddress } from './setting-kinds.ts'
import type { Settings } from './setting-table.ts'
import type { GivenSettings } from './settings.ts'
import { exitCodes, settingsError, startupError } from './startup-error.ts'
import { readTlsMaterial } from './tls-material.ts'
import { findTracing, type Tracing } from './tracing/tracing.ts'
import { version } from './version.ts'

export interface KmsServerOptions {
  readonly given: GivenSettings
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Log
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
export async function startKmsServer({ given, environment, log }: KmsServerOptions): Promise<KmsServer> {
  const { settings } = given
  const defaultCredentials = checkDefaultCredentials(settings)
  const bootstrap = bootstrapDocument(given)
  const tls = await readTlsMaterial(settings)
  const backupKey = await findBackupKey(settings)
  const drivers = (data: Pick<DataDirectory, 'path' | 'rootKeys'>) => createDrivers(settings, environment, data, log)
  checkBackend(bootstrap, drivers({ path: settings.KMS_DATA_DIR, rootKeys: settings.KMS_DATA_DIR }))
  if (defaultCredentials) log.event('default_credentials')

  const data = await prepareDataDirectory(settings.KMS_DATA_DIR)
  if (data.open) log.event('data_directory_open', { path: data.path })
  const { host, port } = settings.KMS_LISTEN
  const lock = await lockDataDirectory(data.path, `${host}:${port}`)
  let manager: KmsManager | undefined
  let identities: Identities | undefined
  let audit: ServerAudit | undefined
  let store: ObjectStore | undefined
  try {
    const keys = await prepareServerKeys(settings, data, log)
    identities = await openIdentities({ settings, keys, stateDirectory: data.state, log })
    audit = await openAudit({ settings, keys, log })
    store = await openObjectStorage(data.objects, log)
    const watch = createWatch()
    const observer = createBackendObserver({ log, ...watch })
    const observed = drivers(data).map((driver) => observeDriver(driver, observer))
    manager = await bootManager({ settings, keys, data, drivers: observed, bootstrap, store, log, ...watch })
    const facts = { settings, keys, backupKey, tls, defaultCredentials }
    const serving = { ...facts, manager, store, identities, audit, lock, log, ...watch }
    return await listen(serving)
  } catch (error) {
    identities?.close()
    try {
      await manager?.close()
      await store?.close()
      await audit?.close()
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
  log: Log,
): readonly BackendDriver[] {
  const { KMS_ALLOW_KEY_DIRS: allowKeyDirs, KMS_ALLOW_SECRET_FILES: allowSecretFiles } = settings
  const { KMS_ALLOW_VAULT_HOSTS: allowHosts, KMS_AUDIT_DIR: auditDir } = settings
  return [
    localDriver({
      rootKeyDir: rootKeys,
      environment: (name) => environment[name],
      policy: {
        forbiddenDirs: [path, ...(auditDir === undefined ? [] : [auditDir])],
        ...(allowKeyDirs === undefined ? {} : { allowKeyDirs }),
        ...(allowSecretFiles === undefined ? {} : { allowSecretFiles }),
      },
    }),
    vaultDriver({
      policy: {
        allowHttp: settings.KMS_ALLOW_HTTP_VAULT === true,
        allowSkipTlsVerify: settings.KMS_ALLOW_SKIP_TLS_VERIFY === true,
        ...(allowHosts === undefined ? {} : { allowHosts }),
        ...(allowSecretFiles === undefined ? {} : { allowSecretFiles }),
      },
      onWarning: (message) => log.event('kms_warning', {}, { message }),
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

async function prepareServerKeys(settings: Settings, data: DataDirectory, log: Log): Promise<ServerKeys> {
  const { keys, origin } = await findServerKeys({ settings, dataDirectory: data.path, stateDirectory: data.state })
  if (origin === 'generated') log.event('server_key_generated', { path: `${data.path}/server.key` })
  return keys
}

/** Who sees what happens, besides the log. */
interface Watch {
  readonly metrics: Metrics
  readonly tracing: Tracing | undefined
}

function createWatch(): Watch {
  return { metrics: createMetrics({ version, now: () => systemClock.now() }), tracing: findTracing() }
}

interface BootOptions extends Pick<Watch, 'metrics'> {
  readonly settings: Settings
  readonly keys: ServerKeys
  readonly data: DataDirectory
  readonly drivers: readonly BackendDriver[]
  readonly bootstrap: Bootstrap
  readonly store: ObjectStore
  readonly log: Log
}

async function bootManager(options: BootOptions): Promise<KmsManager> {
  const { settings, keys, data, drivers, bootstrap, store, log, metrics } = options
  const manager = createKmsManager({
    drivers,
    configStore: await createFileConfigStore({
      directory: data.state,
      drivers,
      keys,
      random: systemRandom,
      onRecovered: (message) => log.event('state_recovered', {}, { message }),
    }),
    canaryStore: createFileCanaryStore({
      directory: data.canaries,
      random: systemRandom,
      onDamaged: (message) => log.event('canaries_damaged', {}, { message }),
    }),
    offlineKeys: await createFileOfflineKeyStore({
      directory: data.offline,
      keys,
      random: systemRandom,
      onWarning: (message) => log.event('offline_keys_unusable', {}, { message }),
    }),
    onEvent(event) {
      metrics.managerEvent(event)
      logManagerEvent(log, event)
    },
    keyUse: objectKeyUse(store),
    spoolDirectory: data.incoming,
    importStore: await createFileImportStore({ directory: data.imports, keys, random: systemRandom }),
    allowImmediateDeletion: settings.KMS_ALLOW_IMMEDIATE_DELETION ?? false,
  })
  try {
    await manager.boot()
    await applyBootstrap(manager, bootstrap, log)
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
async function applyBootstrap(manager: KmsManager, { document, names: settings }: Bootstrap, log: Log): Promise<void> {
  if (settings.length === 0) return
  if (document === undefined) {
    log.event('bootstrap_ignored', { settings, reason: 'disabled' })
    return
  }
  const stored = manager.config()
  if (stored !== undefined) {
    log.event('bootstrap_ignored', { settings, reason: 'configured', revision: stored.revision })
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

interface ListenOptions extends Watch {
  readonly settings: Settings
  readonly keys: ServerKeys
  readonly backupKey: Buffer | undefined
  readonly manager: KmsManager
  readonly store: ObjectStore
  readonly identities: Identities
  readonly audit: ServerAudit | undefined
  readonly lock: ServerLock
  readonly tls: TlsMaterial | undefined
  readonly defaultCredentials: boolean
  readonly log: Log
}

async function listen(options: ListenOptions): Promise<KmsServer> {
  const { settings, manager, store, identities, audit, lock, tls, defaultCredentials, log, metrics, tracing } = options
  const domains = domainsOf(settings)
  const api = createApi(options)
  const cipher = createCipher(options)
  const s3 = createObjects(options, cipher)
  const router = createRouter({
    manager,
    admin: api.listener,
    sts: api.stsListener,
    metrics: api.pageListener(metricsPage(metrics, settings.KMS_METRICS_TOKEN)),
    s3: s3.listener,
    namesBucket: (name) => bucketOfHost(name, domains) !== undefined,
    isDraining: () => server.draining,
  })
  const server: HttpServer = createHttpServer({
    handler: tracing?.requests(router) ?? router,
    ...(tls === undefined ? {} : { tls }),
  })
  const census = createKeyCensus({ list: (limit) => manager.keys.list({ limit }), clock: systemClock })
  metrics.watch({
    status: () => manager.status(),
    ready: () => unreadiness(manager, server.draining) === undefined,
    inFlight: () => server.inFlight,
    keyCounts: () => census.counts(),
    audit: () => audit?.files.statistics(),
    bucketKeys: () => cipher.statistics(),
  })
  const { host } = settings.KMS_LISTEN
  const { KMS_METRICS_LISTEN: metricsAddress } = settings
  const open = metricsAddress && createHttpServer({ handler: createOpenMetrics(metrics) })
  const port = await listenOn(server, 'KMS_LISTEN', settings.KMS_LISTEN)
  let metricsPort: number | undefined
  try {
    if (open !== undefined) metricsPort = await listenOn(open, 'KMS_METRICS_LISTEN', metricsAddress as ListenAddress)
    await lock.announce(`${host}:${port}`)
  } catch (error) {
    await Promise.all([server.drain(0), open?.drain(0)])
    throw error
  }
  log.event('listening', {
    address: `${host}:${port}`,
    ...(metricsPort === undefined ? {} : { metrics_address: `${metricsAddress?.host}:${metricsPort}` }),
    version,
    data_directory: settings.KMS_DATA_DIR,
    tls: tls !== undefined,
  })
  return {
    port,
    defaultCredentials,
    manager,

    async reloadTls() {
      try {
        const material = await readTlsMaterial(settings)
        if (material === undefined) return
        server.replaceTls(material)
        log.event('tls_reloaded')
      } catch (error) {
        log.event('tls_reload_failed', { reason: (error as Error).message })
      }
    },

    async stop() {
      log.event('draining', { seconds: settings.KMS_DRAIN_SECONDS })
      const deadline = performance.now() + settings.KMS_DRAIN_SECONDS * 1000
      await server.drain(settings.KMS_DRAIN_SECONDS)
      identities.close()
      const left = Math.max(deadline - performance.now(), LEAST_CLOSING_MS)
      if (!(await endsWithin(manager.close(), left))) {
        log.event('close_cut_off')
      }
      await store.close()
      await audit?.close()
      // Last: how the end went can be looked at until the end.
      await open?.drain(0)
      await lock.release()
      log.event('stopped')
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

/** Listens, or throws a `StartupError` that names the setting. */
async function listenOn(server: HttpServer, setting: string, address: ListenAddress): Promise<number> {
  return server.listen(address).catch((error: unknown) => {
    throw startupError(
      exitCodes.failed,
      `${setting} ${address.host}:${address.port} cannot be listened on (${(error as NodeJS.ErrnoException).code}).`,
      error,
    )
  })
}

function createApi(options: ListenOptions): AdminApi {
  const { settings, manager, identities, audit, backupKey, defaultCredentials, log, metrics, tracing } = options
  const { credentials, directory, sts } = identities
  const { KMS_TRUSTED_PROXIES: proxies } = settings
  return createAdminApi({
    manager: tracing?.manager(manager) ?? manager,
    ...(audit === undefined ? {} : { audit: audit.files }),
    ...(backupKey === undefined ? {} : { archiveKey: backupKey }),
    credentials,
    directory,
    sts,
    settings: {
      compatServerInfo: settings.KMS_COMPAT_SERVER_INFO,
      debugSignatures: log.tells('signature_mismatch'),
      authFailuresPerMinute: settings.KMS_AUTH_FAILURES_PER_MINUTE,
      ...(settings.KMS_REGION === undefined ? {} : { region: settings.KMS_REGION }),
    },
    log(entry) {
      if (entry.event === 'request') {
        const { operation = 'none', code = 'ok', requestId, keyId } = entry
        metrics.request('admin', operation, code, entry.milliseconds)
        tracing?.describeRequest(entry.operation, {
          'url.path': entry.path,
          'kms.request_id': requestId,
          'kms.outcome': code,
          'kms.key_id': keyId,
        })
      }
      logAdminEntry(log, entry)
    },
    ...(proxies === undefined ? {} : { peer: peerBehind(proxies) }),
    ...(defaultCredentials ? { guard: guardDefaultCredentials } : {}),
  })
}

/** Hosts are compared in lower case. */
function domainsOf(settings: Settings): readonly string[] {
  return settings.KMS_S3_DOMAINS.map((domain) => domain.toLowerCase())
}

function createCipher({ keys, manager, tracing }: ListenOptions): ObjectCipher {
  const { data } = tracing?.manager(manager) ?? manager
  const cipher = createObjectCipher({
    keys: dataPlaneKeyWrapping(data),
    serverKeys: keys,
    offline: manager.offline,
  })
  return tracing?.cipher(cipher) ?? cipher
}

function createObjects(options: ListenOptions, cipher: ObjectCipher): S3Api {
  const { settings, store, identities, audit, defaultCredentials, log, metrics, tracing } = options
  const { KMS_TRUSTED_PROXIES: proxies, KMS_REGION: region } = settings
  return createS3Api({
    store: tracing?.store(store) ?? store,
    cipher,
    ...(audit === undefined ? {} : { audit: audit.files }),
    credentials: identities.credentials,
    settings: {
      domains: domainsOf(settings),
      allowInsecureSseC: settings.KMS_ALLOW_INSECURE_SSE_C === true,
      ...(region === undefined ? {} : { region }),
    },
    throttle: createFailureThrottle({ perMinute: settings.KMS_AUTH_FAILURES_PER_MINUTE, clock: systemClock }),
    log(entry) {
      if (entry.event === 'request') {
        countObjectRequest(metrics, entry)
        tracing?.describeRequest(entry.operation, {
          'kms.request_id': entry.requestId,
          'kms.outcome': entry.code ?? 'ok',
          'kms.key_id': entry.keyId,
          'kms.object_mode': entry.mode,
        })
      }
      logS3Entry(log, entry)
    },
    ...(proxies === undefined ? {} : { peer: peerBehind(proxies) }),
    ...(defaultCredentials ? { guard: guardDefaultCredentials } : {}),
  })
}

function countObjectRequest(metrics: Metrics, entry: Extract<S3LogEntry, { readonly event: 'request' }>): void {
  const { operation = 'none', mode, code: outcome = 'ok', receivedBytes, sentBytes } = entry
  metrics.request('s3', operation, outcome, entry.milliseconds)
  if (mode === undefined) return
  const milliseconds = entry.totalMilliseconds
  metrics.objectOperation({ operation, mode, outcome, receivedBytes, sentBytes, milliseconds })
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
