import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Files in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

const OPENSSL = 'openssl'
const NEW_KEY = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']

export interface CertificateOptions {
  /** Subject alternative names as openssl writes them; unless given, localhost and 127.0.0.1. */
  readonly names?: readonly string[]
  readonly usage?: 'serverAuth' | 'clientAuth'
}

/** A certificate whose common name is `name`; signed by `authority`, else by itself. */
export function makeCertificate(
  folder: string,
  name: string,
  authority?: Certificate,
  { names = ['DNS:localhost', 'IP:127.0.0.1'], usage = 'serverAuth' }: CertificateOptions = {},
): Certificate {
  const extensions = [`subjectAltName=${names.join(',')}`, `extendedKeyUsage=${usage}`]
  const leaf = authority === undefined ? extensions : [...extensions, 'basicConstraints=critical,CA:FALSE']
  return request(folder, name, leaf, authority)
}

/** A private certificate authority. */
export function makeAuthority(folder: string, name = 'authority'): Certificate {
  return request(folder, name, ['keyUsage=critical,keyCertSign,cRLSign'])
}

function request(folder: string, name: string, extensions: readonly string[], authority?: Certificate): Certificate {
  const cert = join(folder, `${name}.pem`)
  const key = join(folder, `${name}.key`)
  const signer = authority === undefined ? [] : ['-CA', authority.cert, '-CAkey', authority.key]
  const added = extensions.flatMap((extension) => ['-addext', extension])
  const args = ['req', ...NEW_KEY, ...signer, '-subj', `/CN=${name}`, ...added, '-keyout', key, '-out', cert]
  execFileSync(OPENSSL, args, { stdio: 'pipe' })
  return { cert, key }
}
