import { isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { isKmsClientError, type KmsClient, type KmsStatus } from '@kms/client'
import type { Io } from '../io.ts'
import type { Target } from '../session.ts'
import { checkVault } from './vault-paths.ts'

/** One thing that was looked at. */
export interface Finding {
  readonly check: string
  readonly outcome: 'good' | 'note' | 'warning' | 'problem'
  readonly text: string
}

const DAY_MS = 86_400_000

/** Looks at everything between the caller and a working key, and explains what is wrong with it. Changes nothing. */
export async function examine(client: KmsClient, target: Target, io: Pick<Io, 'env' | 'now'>): Promise<Finding[]> {
  const findings: Finding[] = []
  const tell = (check: string, outcome: Finding['outcome'], text: string): void =>
    void findings.push({ check, outcome, text })

  const { protocol, hostname } = new URL(target.endpoint)
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  if (protocol === 'https:') await checkCertificate(target, io, tell)
  else if (!local) tell('TLS', 'warning', 'The endpoint is plain http: data keys and objects can be read on the way.')

  const reached = await reach(client, io, tell)
  if (!reached) return findings
  if (target.credentials === undefined) {
    tell('credentials', 'problem', 'None are set. Set KMSCTL_ACCESS_KEY and KMSCTL_SECRET_KEY, or make a profile.')
    return findings
  }
  const { accessKeyId, secretAccessKey } = target.credentials
  if (accessKeyId === 'admin' && secretAccessKey === 'admin') {
    tell('credentials', 'warning', 'These are the default ones: fine on this machine, nowhere else.')
  }
  const status = await checkCredentials(client, tell)
  if (status === 'refused') return findings
  if (status !== 'unseen') checkService(status, tell)
  await checkPermissions(client, tell)
  if (status === 'unseen') await checkKeys(client, 'the default key', tell)
  else if (status.status === 'Running') await checkKeys(client, status.default_key_id, tell)
  await checkRetired(client, tell)
  if (status !== 'unseen' && status.backend_type === 'vault') {
    findings.push(...(await checkVault(status.config_summary?.backend_summary ?? {}, io.env)))
  }
  return findings
}

type Tell = (check: string, outcome: Finding['outcome'], text: string) => void

function checkCertificate({ endpoint, ca }: Target, { now }: Pick<Io, 'now'>, tell: Tell): Promise<void> {
  const { hostname, port } = new URL(endpoint)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = connectTls({
      host,
      port: Number(port || 443),
      // An address is no name, and is not sent as one.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      timeout: 5000,
      ...(ca === undefined ? {} : { ca }),
    })
    const end = (): void => {
      socket.destroy()
      resolve()
    }
    socket.once('secureConnect', () => {
      const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - now()) / DAY_MS)
      tell(
        'TLS',
        days < 14 ? 'warning' : 'good',
        `${socket.getProtocol()}; the certificate is valid for ${days} more days.`,
      )
      end()
    })
    socket.once('timeout', end)
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(error.code ?? '')) {
        tell(
          'TLS',
          'problem',
          `The certificate is not trusted (${error.code}). Give the authority that signed it with --ca.`,
        )
      }
      end()
    })
  })
}

async function reach(client: KmsClient, { now }: Pick<Io, 'now'>, tell: Tell): Promise<boolean> {
  try {
    const { status, headers } = await client.get('/health/live')
    if (status === 200) {
      tell('server', 'good', 'It answers.')
      const date = Date.parse(headers.date ?? '')
      if (!Number.isNaN(date)) checkClock(Math.round((now() - date) / 1000), tell)
      return true
    }
    tell('server', 'problem', `/health/live answers ${status}: is this a KMS?`)
  } catch (error) {
    if (!isKmsClientError(error)) throw error
    tell('server', 'problem', `${error.message} Is it running, and is this its address?`)
  }
  return false
}

/** `skew`: seconds by which this clock is ahead. */
function checkClock(skew: number, tell: Tell): void {
  const much = Math.abs(skew)
  if (much <= 5) return tell('clock', 'good', 'This clock and the one of the server agree.')
  const differs = `This clock is ${much} s ${skew > 0 ? 'ahead of' : 'behind'} the one of the server`
  if (much > 900) return tell('clock', 'problem', `${differs}: it accepts nothing beyond 900 s. Set the wrong one.`)
  return tell('clock', much > 60 ? 'warning' : 'note', `${differs}; from 900 s on nothing is accepted.`)
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  [
    'SignatureDoesNotMatch',
    'The secret key is not the one of this access key, or a proxy changes requests on the way.',
  ],
  ['InvalidAccessKeyId', 'The server does not know this access key.'],
  ['RequestTimeTooSkewed', 'This clock and the one of the server differ by more than 15 minutes. Set the wrong one.'],
  ['ExpiredToken', 'The session is over. Get another one.'],
  ['InvalidTokenId', 'The session token is not one of this server, or its user was disabled or given another secret.'],
  ['TooManyRequests', 'Too many failed attempts in this minute. Wait, and use the right secret.'],
])

/** The status, unless the caller may not see it, or is not let in at all. */
async function checkCredentials(client: KmsClient, tell: Tell): Promise<KmsStatus | 'unseen' | 'refused'> {
  try {
    const status = await client.call('getStatus')
    tell('credentials', 'good', 'They are accepted.')
    return status
  } catch (error) {
    if (!isKmsClientError(error)) throw error
    if (error.code === 'AccessDenied') {
      tell('credentials', 'note', `They are accepted, and may not see the status. ${error.message}`)
      return 'unseen'
    }
    tell('credentials', 'problem', `${error.code}: ${ADVICE.get(error.code) ?? error.message}`)
    return 'refused'
  }
}

function checkService({ status, healthy, last_error }: KmsStatus, tell: Tell): void {
  if (status === 'Running') {
    if (healthy === false)
      tell('service', 'problem', `It runs, and its key store does not answer: ${last_error ?? 'no reason is known'}`)
    else
      tell(
        'service',
        last_error === null ? 'good' : 'warning',
        last_error === null ? 'It runs.' : `It runs: ${last_error}`,
      )
  } else if (status === 'NotConfigured')
    tell('service', 'problem', 'Nothing is configured. kmsctl apply, or kmsctl config set.')
  else if (status === 'Configured') tell('service', 'problem', 'It is stopped. kmsctl start starts it.')
  else tell('service', 'problem', `It is meant to run and cannot start: ${status.Error}`)
}

async function checkPermissions(client: KmsClient, tell: Tell): Promise<void> {
  const looks = [
    ['kms:Configure', 'getConfig'],
    ['kms:ListKeys', 'listKeys'],
    ['admin:ListUsers', 'listUsers'],
  ] as const
  const allowed: string[] = []
  const denied: string[] = []
  for (const [permission, operation] of looks) {
    try {
      await client.ask(operation)
      allowed.push(permission)
    } catch (error) {
      if (!isKmsClientError(error)) throw error
      if (error.code === 'AccessDenied') denied.push(permission)
      else allowed.push(permission)
    }
  }
  const text = [
    allowed.length === 0 ? '' : `Allowed: ${allowed.join(', ')}.`,
    denied.length === 0 ? '' : `Not allowed: ${denied.join(', ')}.`,
  ]
  tell('permissions', 'note', text.filter((part) => part !== '').join(' '))
}

async function checkKeys(client: KmsClient, defaultKey: string | null, tell: Tell): Promise<void> {
  if (defaultKey === null) {
    tell('default key', 'warning', 'None is configured: requests that name no key are refused.')
    return
  }
  try {
    const { ciphertext_blob, plaintext_key, key_id } = await client.call('generateDataKey')
    const { plaintext } = await client.call('decrypt', { body: { ciphertext_blob } })
    const same = plaintext === plaintext_key
    tell(
      'default key',
      same ? 'good' : 'problem',
      same ? `${key_id} wraps and unwraps.` : `${key_id} unwraps something else!`,
    )
  } catch (error) {
    if (!isKmsClientError(error)) throw error
    const outcome = error.code === 'AccessDenied' ? 'note' : 'problem'
    tell('default key', outcome, `${defaultKey}: ${error.code}: ${error.message}`)
  }
}

async function checkRetired(client: KmsClient, tell: Tell): Promise<void> {
  try {
    const { stores } = await client.call('listRetired')
    for (const { realm, healthy, last_error } of stores) {
      const text = healthy === false ? `cannot be reached: ${last_error ?? 'no reason is known'}` : 'is kept to unwrap.'
      tell('retired store', healthy === false ? 'warning' : 'good', `${realm} ${text}`)
    }
  } catch (error) {
    if (!isKmsClientError(error)) throw error
  }
}
