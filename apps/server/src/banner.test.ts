import type { WireStatus } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { bannerText, localUrl } from './banner.ts'

function banner(status: WireStatus, changes: Partial<Parameters<typeof bannerText>[0]> = {}): string {
  return bannerText({
    version: '1.2.3',
    url: 'http://localhost:9000',
    dataDirectory: '/srv/kms/data',
    status: { status, revision: status === 'NotConfigured' ? 0 : 4, backendSummary: undefined },
    region: 'us-east-1',
    defaultCredentials: true,
    ...changes,
  })
}

describe('bannerText', () => {
  it('of a new server shows where it listens, where data lives, and three commands', () => {
    expect(banner('NotConfigured')).toMatchInlineSnapshot(`
      "KMS 1.2.3 listening on http://localhost:9000
        data    /srv/kms/data
        status  NotConfigured

      Next: look, configure, start.

        awscurl --service s3 --region us-east-1 \\
          --access_key admin --secret_key admin \\
          http://localhost:9000/rustfs/admin/v3/kms/status

        awscurl --service s3 --region us-east-1 \\
          --access_key admin --secret_key admin \\
          -X POST -d '{
            "backend_type": "local",
            "key_dir": "/srv/kms/data-keys",
            "default_key_id": "rustfs-master"
          }' \\
          http://localhost:9000/rustfs/admin/v3/kms/configure

        awscurl --service s3 --region us-east-1 \\
          --access_key admin --secret_key admin \\
          -X POST \\
          http://localhost:9000/rustfs/admin/v3/kms/start
      "
    `)
  })

  it('of a running server shows its status and backend, and no commands', () => {
    const status = { status: 'Running', revision: 7, backendSummary: { backend_type: 'local', key_dir: '/k' } } as const
    expect(banner('Running', { status })).toBe(
      [
        'KMS 1.2.3 listening on http://localhost:9000',
        '  data    /srv/kms/data',
        '  status  Running, configuration revision 7',
        '  backend backend_type local, key_dir /k',
        '',
      ].join('\n'),
    )
  })

  it('of a stopped or failed one tells how to start it', () => {
    expect(banner('Configured')).toContain('/kms/start')
    expect(banner('Configured')).not.toContain('/kms/configure')
    expect(banner({ Error: 'gone' })).toContain('status  Error: gone, configuration revision 4')
  })

  it('never prints credentials that are not the default ones', () => {
    const text = banner('NotConfigured', { defaultCredentials: false })
    expect(text).toContain('--access_key "$KMS_ROOT_ACCESS_KEY" --secret_key "$KMS_ROOT_SECRET_KEY"')
    expect(text).not.toContain('admin --secret_key')
  })

  it('quotes a directory for the shell and for JSON', () => {
    const text = banner('NotConfigured', { dataDirectory: `/it's "here"` })
    expect(text).toContain(String.raw`"key_dir": "/it'\''s \"here\"-keys"`)
  })
})

it.each([
  ['http', '127.0.0.1', 'http://localhost:9000'],
  ['http', '::1', 'http://localhost:9000'],
  ['https', '0.0.0.0', 'https://localhost:9000'],
  ['http', '192.0.2.1', 'http://192.0.2.1:9000'],
  ['http', '2001:db8::1', 'http://[2001:db8::1]:9000'],
  ['https', 'kms.example.com', 'https://kms.example.com:9000'],
] as const)('%s on %s is reached at %s', (scheme, host, expected) => {
  expect(localUrl(scheme, { host, port: 9000 })).toBe(expected)
})
