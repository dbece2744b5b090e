import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { kmsError } from '@kms/core'
import type { VaultConfig } from '../config/vault-config.ts'
import type { TlsOptions } from './http-sender.ts'

/**
 * What a connection needs of certificates. `caCert` replaces the authorities of the system. Throws `ValidationError` naming
 * the field that cannot be used.
 */
export function createTlsOptions(config: VaultConfig, caCert: string | undefined): TlsOptions | undefined {
  if (config.address.protocol === 'http:') return undefined
  const { clientCert, clientKey, caCertPath } = config
  const caField = caCertPath === undefined ? 'ca_cert' : 'ca_cert_path'
  if (caCert !== undefined) check(caField, 'is no certificate in PEM', () => new X509Certificate(caCert))
  if (clientCert !== undefined) check('client_cert', 'is no certificate in PEM', () => new X509Certificate(clientCert))
  const key = clientKey?.reveal()
  if (key !== undefined)
    check('client_key', 'is no private key in PEM without a passphrase', () => createPrivateKey(key))
  const secureContext = check('client_key', 'does not belong to client_cert', () =>
    createSecureContext({
      minVersion: 'TLSv1.2',
      ...(caCert === undefined ? {} : { ca: caCert }),
      ...(clientCert === undefined ? {} : { cert: clientCert }),
      ...(key === undefined ? {} : { key }),
    }),
  )
  return { secureContext, serverName: config.tlsServerName, verify: !config.skipTlsVerify }
}

/** Without the error's own text as a cause: OpenSSL's may quote what it was given. */
function check<T>(path: string, reason: string, work: () => T): T {
  try {
    return work()
  } catch {
    throw kmsError('ValidationError', { path, reason })
  }
}
