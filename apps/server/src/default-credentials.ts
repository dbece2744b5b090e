import { BlockList, isIP } from 'node:net'
import { isDefaultCredentials } from '@kms/iam'
import type { Settings } from './setting-table.ts'
import { settingsError } from './startup-error.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether a listen address is reached from this machine only. */
export function isLoopback(host: string): boolean {
  const version = isIP(host)
  if (version === 0) return host.toLowerCase() === 'localhost'
  return loopback.check(host, version === 4 ? 'ipv4' : 'ipv6')
}

/** Throws a `StartupError` when the default credentials would be reachable from other machines. */
export function checkDefaultCredentials(settings: Settings): boolean {
  const { KMS_ROOT_ACCESS_KEY: accessKeyId, KMS_ROOT_SECRET_KEY: secret, KMS_LISTEN: listen } = settings
  if (!isDefaultCredentials({ accessKeyId, secretAccessKey: secret.reveal() })) return false
  if (isLoopback(listen.host)) return true
  throw settingsError(
    'KMS_LISTEN',
    `is ${listen.host}, which other machines reach, and the root credentials are the default ones. ` +
      'Set KMS_ROOT_ACCESS_KEY and KMS_ROOT_SECRET_KEY, or listen on 127.0.0.1',
  )
}

/** The hosts a program on this machine would name. A name made to point here (DNS rebinding) is none of them. */
const LOCAL_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i

const FORWARDING = new Set(['forwarded', 'via', 'x-real-ip'])

const HINT = 'Set KMS_ROOT_ACCESS_KEY and KMS_ROOT_SECRET_KEY to lift this limit.'

/**
 * Why the default credentials are refused on a request, or `undefined`: they are for programs on this machine, not for
 * web pages a browser on it shows, nor for what a proxy on it passes on. `rawHeaders`: name, value, name, value…
 */
export function refuseDefaultCredentials(rawHeaders: readonly string[]): string | undefined {
  let hosts = 0
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase()
    const value = rawHeaders[i + 1] as string
    if (name === 'host') {
      hosts += 1
      if (!LOCAL_HOST.test(value)) return refusal('the Host must be localhost, 127.0.0.1 or [::1]')
    } else if (name === 'origin') return refusal('a request with an Origin comes from a web page')
    else if (name === 'sec-fetch-site' && !/^(?:none|same-origin)$/i.test(value))
      return refusal('a cross-site request comes from a web page')
    else if (FORWARDING.has(name) || name.startsWith('x-forwarded-'))
      return refusal('a forwarded request comes from elsewhere')
  }
  return hosts === 1 ? undefined : refusal('there must be one Host')
}

function refusal(reason: string): string {
  return `The default credentials are for programs on this machine only: ${reason}. ${HINT}`
}
