import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type PythonTools, requireTools, shell } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'
import { CACHE, CONFIGURE, CREATE_KEY, call, START, STATUS, STOP } from './playbook-commands.ts'
import { startServer, temporaryFolder } from './server-process.ts'

// The playbook sets the default key on Vault; on the local store the same call names no backend.
const SET_LOCAL_DEFAULT = `   awscurl --service s3 --region us-east-1 \\
     --access_key admin --secret_key admin \\
     -X POST -d '{
       "default_key_id": "rotation-2024-09"
     }' \\
     http://localhost:9000/rustfs/admin/v3/kms/reconfigure`

const awscurlHead = /awscurl --service s3 --region us-east-1 \\\n\s+--access_key admin --secret_key admin \\\n/

const clients = [
  { name: 'awscurl', rewrite: (command: string): string => command },
  {
    name: 'curl',
    rewrite: (command: string): string => {
      const rewritten = command.replace(awscurlHead, 'curl -sS --aws-sigv4 "aws:amz:us-east-1:s3" --user admin:admin ')
      if (rewritten === command) throw new Error(`not a command of the playbook: ${command}`)
      return rewritten
    },
  },
]

interface Envelope {
  readonly key_id: string
  readonly plaintext_key: string
  readonly ciphertext_blob: string
}

let awscurl: PythonTools
beforeAll(() => {
  awscurl = findAwscurl()
  if ('missing' in awscurl) process.stderr.write(`awscurl: ${awscurl.missing}\n`)
})

describe.each(clients)('the playbook, typed with $name', ({ name, rewrite }) => {
  it('configures, starts, makes keys, stops, starts, and survives kill -9', async ({ skip }) => {
    const path = name === 'awscurl' ? requireTools(awscurl, skip) : ''
    const folder = temporaryFolder()
    const env = { KMS_DATA_DIR: join(folder, 'data') }
    const keyDir = join(folder, 'rustfs', 'kms-keys')
    let server = await startServer({ env })
    const type = (command: string): Promise<string> =>
      shell(
        rewrite(command).replace('http://localhost:9000', server.url).replace('/var/lib/rustfs/kms-keys', keyDir),
        path,
      )
    const typeJson = async <T = Record<string, unknown>>(command: string): Promise<T> =>
      JSON.parse(await type(command)) as T

    expect(await type(STATUS)).toContain('"status": "NotConfigured"')
    expect(await type(CONFIGURE)).toContain('"status": "Configured"')
    expect(await type(STATUS)).toContain('"status": "Configured"')
    expect(await type(START)).toContain('"status": "Running"')
    const running = await type(STATUS)
    expect(running).toContain('"status": "Running"')
    expect(JSON.parse(running)).toMatchObject({
      backend_type: 'local',
      healthy: true,
      default_key_id: 'rustfs-master',
      config_summary: { cache_ttl_seconds: 900, backend_summary: { backend_type: 'local', key_dir: keyDir } },
    })

    const created = await typeJson<{ key_id: string; aliases: string[] }>(CREATE_KEY)
    expect(created.aliases).toEqual(['rotation-2024-09'])
    const envelopes = [
      await typeJson<Envelope>(call('generate-data-key', {})),
      await typeJson<Envelope>(
        call('generate-data-key', { key_id: created.key_id, encryption_context: { bucket: 'b' } }),
      ),
    ] as const
    expect(envelopes.map(({ key_id }) => key_id)).toEqual(['rustfs-master', created.key_id])
    const openAll = async (): Promise<void> => {
      const [plain, bound] = envelopes
      const first = await typeJson(call('decrypt', { ciphertext_blob: plain.ciphertext_blob }))
      expect(first).toMatchObject({ key_id: 'rustfs-master', plaintext: plain.plaintext_key })
      const context = { encryption_context: { bucket: 'b' } }
      const second = await typeJson(call('decrypt', { ciphertext_blob: bound.ciphertext_blob, ...context }))
      expect(second).toMatchObject({ key_id: created.key_id, plaintext: bound.plaintext_key })
    }
    await openAll()

    expect(await typeJson(SET_LOCAL_DEFAULT)).toMatchObject({ success: true, status: 'Running' })
    expect((await typeJson<Envelope>(call('generate-data-key', {}))).key_id).toBe(created.key_id)
    expect(await typeJson(CACHE)).toMatchObject({ success: true, status: 'Running' })
    expect(await typeJson(STATUS)).toMatchObject({
      config_summary: { timeout_seconds: 20, cache_summary: { max_keys: 2048, ttl_seconds: 600 } },
    })
    await openAll()

    expect(await type(STOP)).toContain('"status": "Configured"')
    expect(await typeJson(call('generate-data-key', {}))).toMatchObject({ success: false, code: 'NotRunning' })
    expect(await type(START)).toContain('"status": "Running"')
    await openAll()

    const { cache: _, ...before } = await typeJson(STATUS)
    const keys = await typeJson(STATUS.replace(/status$/, 'keys'))
    server.kill('SIGKILL')
    await server.exited
    server = await startServer({ env })
    const { cache: __, ...after } = await typeJson(STATUS)
    expect(after).toEqual(before)
    expect(await typeJson(STATUS.replace(/status$/, 'keys'))).toEqual(keys)
    await openAll()
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })
})
