import { type ConfigDocument, kmsError, type OpenedBackend, type OpenOptions } from '@kms/core'
import { DEFAULT_SECRET_DIRS, readSecretFile } from '@kms/core/internal'
import type { AuthMethod } from './config/auth-method.ts'
import { readVaultConfig, type VaultConfig } from './config/vault-config.ts'
import type { VaultPolicy } from './config/vault-policy.ts'
import type { CredentialSource } from './credentials/credential-source.ts'
import { createCredentials } from './credentials/credentials.ts'
import { appRoleSource, kubernetesSource } from './credentials/login-source.ts'
import type { SecretIdMemory } from './credentials/secret-id-memory.ts'
import { tokenFileSource, tokenSource } from './credentials/token-source.ts'
import { createKeyReader } from './keys/key-reader.ts'
import { createKvRecords } from './keys/kv-records.ts'
import { createNameClaims } from './keys/name-claims.ts'
import { findRealm } from './keys/realm-record.ts'
import { createTransit } from './keys/transit.ts'
import { inspectMounts } from './mounts.ts'
import { checkAddressPolicy } from './transport/address-policy.ts'
import { createBackoff } from './transport/backoff.ts'
import { createBreaker } from './transport/breaker.ts'
import { createBulkhead } from './transport/bulkhead.ts'
import { createHttpSender } from './transport/http-sender.ts'
import { createNodeVaultTransport } from './transport/node-vault-transport.ts'
import { createOperations } from './transport/operation.ts'
import { type Resolve, systemResolve } from './transport/pinned-lookup.ts'
import { createTlsOptions } from './transport/tls-options.ts'
import { createVaultCaller, type VaultCaller } from './transport/vault-caller.ts'
import { createVaultClient } from './transport/vault-client.ts'
import { createVaultBackend } from './vault-backend.ts'

/** What opening a store in Vault takes besides its configuration. */
export interface OpenVaultStoreOptions extends OpenOptions {
  readonly policy: VaultPolicy
  readonly secretIds: SecretIdMemory
  readonly onWarning?: (message: string) => void
  readonly resolve?: Resolve
}

const SLOTS = 64
const QUEUE = 1024
/** How long a revocation may take that nobody waits for but who closes the store. */
const FAREWELL_SECONDS = 2
/** Besides the directories of secrets: where systems keep certificates of authorities. */
const CA_DIRS = ['/etc/ssl', '/etc/pki', '/usr/share/ca-certificates', '/usr/local/share/ca-certificates'] as const

const MAX_CA_BYTES = 1_000_000

/**
 * Opens the store of a configuration, or makes it where formats §7 allows. In this order: what the server's policy says,
 * whether Vault is there and can serve, the login, the mounts, the realm.
 */
export async function openVaultStore(document: ConfigDocument, options: OpenVaultStoreOptions): Promise<OpenedBackend> {
  const { policy, clock, random, signal, peer, onWarning = () => {}, resolve = systemResolve } = options
  const config = readVaultConfig(document)
  const { address, timeoutSeconds, retryAttempts } = config
  const place = address.origin
  checkAddressPolicy(address, config.skipTlsVerify, policy)
  const readFile = (path: string, field: string): Promise<string> => readConfiguredFile(path, field, policy)
  const caCert = config.caCertPath === undefined ? config.caCert : await readAuthority(config.caCertPath, policy)
  // They are read again for each login; here it shows before anybody is asked whether they may and can be.
  for (const [path, field] of secretFiles(config.authMethod)) await readFile(path, field)

  const timeoutMs = timeoutSeconds * 1000
  const tls = createTlsOptions(config, caCert)
  const sender = createHttpSender({ protocol: address.protocol, policy, resolve, tls })
  const transport = createNodeVaultTransport({ address, namespace: config.namespace, policy, sender, peer })
  const breaker = createBreaker(clock)
  const backoff = createBackoff({ attempts: retryAttempts, timeoutMs, random })
  const caller = createVaultCaller({ transport, breaker, backoff, retryAttempts, timeoutMs, clock, peer, place })
  const operations = createOperations({ clock, timeoutSeconds, place })
  const upkeep = createOperations({ clock, timeoutSeconds, place })
  const farewell = createOperations({ clock, timeoutSeconds: Math.min(timeoutSeconds, FAREWELL_SECONDS), place })
  const source = createSource(config, { caller, clock, place, readFile, secretIds: options.secretIds })
  const credentials = createCredentials({
    source,
    caller,
    upkeep,
    farewell,
    clock,
    place,
    timeoutSeconds,
    onWarning,
  })
  const release = async (): Promise<void> => {
    await credentials.close()
    upkeep.close()
    farewell.close()
    transport.close()
  }

  try {
    return await operations.run(async (operation) => {
      await requireServing(operation, caller)
      await credentials.start()
      const bulkhead = createBulkhead({ slots: SLOTS, queue: QUEUE, place })
      const client = createVaultClient({ place, caller, credentials, breaker, bulkhead })
      const transit = createTransit(client, config.transitMount, random)
      const records = createKvRecords(client, { mount: config.kvMount, prefix: config.prefix, random, onWarning })
      const notes = await inspectMounts(operation, client, config)
      const found = await findRealm(operation, {
        records,
        transit,
        place: `${place} (${config.kvMount}/${config.prefix})`,
        expectedRealm: options.expectedRealm,
        mayInitialise: options.mayInitialise,
        random,
        clock,
      })
      const reader = createKeyReader({ realm: found.realm, records, transit, onWarning })
      const claims = createNameClaims(reader, transit)
      const backend = createVaultBackend({
        realm: found.realm,
        client,
        operations,
        records,
        transit,
        reader,
        claims,
        clock,
        tokenExpiresAt: credentials.expiresAt,
        breaker,
        release,
      })
      return { backend, initialised: found.initialised, notes }
    }, signal)
  } catch (error) {
    operations.close()
    await release()
    throw error
  }
}

/** Asks without credentials, and outside every namespace, so that a server that cannot serve is named as what it is. */
async function requireServing(operation: Parameters<VaultCaller['call']>[0], caller: VaultCaller): Promise<void> {
  await caller.call(operation, {
    request: 'health',
    method: 'GET',
    path: ['sys/health'],
    query: { standbyok: 'true', perfstandbyok: 'true' },
    rootNamespace: true,
  })
}

function createSource({ authMethod }: VaultConfig, options: Parameters<typeof appRoleSource>[1]): CredentialSource {
  const { readFile } = options
  if ('token' in authMethod) return tokenSource(authMethod.token.token, options)
  if ('token_file' in authMethod) {
    const { path } = authMethod.token_file
    return tokenFileSource(() => readFile(path, 'auth_method.token_file.path'), options)
  }
  return 'approle' in authMethod
    ? appRoleSource(authMethod.approle, options)
    : kubernetesSource(authMethod.kubernetes, options)
}

/** The files a login is made of, and the fields that name them. */
function secretFiles(method: AuthMethod): readonly (readonly [string, string])[] {
  if ('token_file' in method) return [[method.token_file.path, 'auth_method.token_file.path']]
  if ('kubernetes' in method) return [[method.kubernetes.jwt_path, 'auth_method.kubernetes.jwt_path']]
  const file = 'approle' in method ? method.approle.secret_id_file : undefined
  return file === undefined ? [] : [[file, 'auth_method.approle.secret_id_file']]
}

function readConfiguredFile(path: string, field: string, { allowSecretFiles }: VaultPolicy): Promise<string> {
  const hint = 'KMS_ALLOW_SECRET_FILES lists where secret files may be; unset, they are under /run/secrets.'
  return readSecretFile(path, { field, allowedDirs: allowSecretFiles ?? DEFAULT_SECRET_DIRS, hint })
}

async function readAuthority(path: string, { allowSecretFiles }: VaultPolicy): Promise<string> {
  const hint = `Certificates of authorities are read under ${CA_DIRS.join(', ')} and where KMS_ALLOW_SECRET_FILES says.`
  const allowedDirs = [...CA_DIRS, ...(allowSecretFiles ?? DEFAULT_SECRET_DIRS)]
  const text = await readSecretFile(path, { field: 'ca_cert_path', allowedDirs, hint, maxBytes: MAX_CA_BYTES })
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw kmsError('ValidationError', { path: 'ca_cert_path', reason: `${path} holds no certificate in PEM` })
}
