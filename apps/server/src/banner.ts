import { isIP } from 'node:net'
import type { ManagerStatus, WireStatus } from '@kms/core'
import type { ListenAddress } from './setting-kinds.ts'

export interface BannerOptions {
  readonly version: string
  readonly url: string
  readonly dataDirectory: string
  readonly status: Pick<ManagerStatus, 'status' | 'revision' | 'backendSummary'>
  readonly region: string
  /** The default credentials are printed, others named. */
  readonly defaultCredentials: boolean
}

/** The address of the listener as a client on this machine would write it. */
export function localUrl(scheme: 'http' | 'https', { host, port }: ListenAddress): string {
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere || host === '127.0.0.1' || host === '::1' ? 'localhost' : host
  return `${scheme}://${isIP(name) === 6 ? `[${name}]` : name}:${port}`
}

/** What the server says on standard output when it listens: where, with what, and what to type next. */
export function bannerText(options: BannerOptions): string {
  const { version, url, dataDirectory, status } = options
  const summary = Object.entries(status.backendSummary ?? {}).map(([name, value]) => `${name} ${value}`)
  return [
    `KMS ${version} listening on ${url}`,
    `  data    ${dataDirectory}`,
    `  status  ${statusText(status.status)}${status.revision === 0 ? '' : `, configuration revision ${status.revision}`}`,
    ...(summary.length === 0 ? [] : [`  backend ${summary.join(', ')}`]),
    ...nextSteps(options),
    '',
  ].join('\n')
}

function statusText(status: WireStatus): string {
  return typeof status === 'string' ? status : `Error: ${status.Error}`
}

function nextSteps({ status: { status }, url, dataDirectory, region, defaultCredentials }: BannerOptions): string[] {
  const keys = defaultCredentials
    ? '--access_key admin --secret_key admin'
    : '--access_key "$KMS_ROOT_ACCESS_KEY" --secret_key "$KMS_ROOT_SECRET_KEY"'
  const call = (path: string, ...request: string[]) => [
    '',
    `  awscurl --service s3 --region ${region} \\`,
    `    ${keys} \\`,
    ...request,
    `    ${url}/rustfs/admin/v3/kms/${path}`,
  ]
  const start = call('start', '    -X POST \\')
  const shown = call('status')
  if (status === 'Running') return []
  if (status !== 'NotConfigured') return ['', 'Next: start it, and look.', ...start, ...shown]
  const configure = call(
    'configure',
    "    -X POST -d '{",
    '      "backend_type": "local",',
    `      "key_dir": ${JSON.stringify(`${dataDirectory}-keys`).replaceAll("'", String.raw`'\''`)},`,
    '      "default_key_id": "rustfs-master"',
    "    }' \\",
  )
  return ['', 'Next: look, configure, start.', ...shown, ...configure, ...start]
}
