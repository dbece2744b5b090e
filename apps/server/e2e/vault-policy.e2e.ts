import { writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { describe, expect, it } from 'vitest'
import { createAdmin } from './client.ts'
import { type Environment, startServer, temporaryFolder } from './server-process.ts'

/** Where nothing listens. */
const CLOSED = 1

/** An address of this machine beyond loopback: a connection to it leaves nothing but the loopback of the kernel. */
const beyondLoopback = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address

describe('what the server’s policy says about Vault', () => {
  /** Tries to go to a Vault that is not there; the code says how far it got. */
  async function attempt(env: Environment, fields: Readonly<Record<string, unknown>>): Promise<string> {
    const server = await startServer({ env: { KMS_DATA_DIR: `${temporaryFolder()}/data`, ...env } })
    const document = { backend_type: 'vault', auth_method: { token: 'hvs.example' }, retry_attempts: 0, ...fields }
    const reply = await createAdmin(server.url).post('reconfigure', document)
    const { code, message } = reply.json() as { code: string; message: string }
    return `${code}: ${message}`
  }

  const here = { address: `https://127.0.0.1:${CLOSED}` }
  const TRIED = /^BackendUnavailable: .*the connection was refused/

  it('KMS_ALLOW_VAULT_HOSTS is the list of hosts it may be at', async () => {
    expect(await attempt({}, here)).toMatch(TRIED)
    expect(await attempt({ KMS_ALLOW_VAULT_HOSTS: `vault.example.com,127.0.0.1:${CLOSED}` }, here)).toMatch(TRIED)
    const refusal = /^PolicyViolation: address: .*KMS_ALLOW_VAULT_HOSTS/
    expect(await attempt({ KMS_ALLOW_VAULT_HOSTS: 'vault.example.com' }, here)).toMatch(refusal)
  })

  it('KMS_ALLOW_HTTP_VAULT lets plain http leave the machine', async ({ skip }) => {
    if (beyondLoopback === undefined) return skip('this machine has no address beyond loopback')
    const address = `http://${beyondLoopback}:${CLOSED}`
    expect(await attempt({}, { address: `http://127.0.0.1:${CLOSED}` })).toMatch(TRIED)
    expect(await attempt({}, { address })).toMatch(/^PolicyViolation: address: .*KMS_ALLOW_HTTP_VAULT/)
    expect(await attempt({ KMS_ALLOW_HTTP_VAULT: 'on' }, { address })).toMatch(TRIED)
  })

  it('KMS_ALLOW_SKIP_TLS_VERIFY lets a configuration trust anybody', async () => {
    const fields = { ...here, skip_tls_verify: true }
    expect(await attempt({}, fields)).toMatch(/^PolicyViolation: skip_tls_verify: .*KMS_ALLOW_SKIP_TLS_VERIFY/)
    expect(await attempt({ KMS_ALLOW_SKIP_TLS_VERIFY: 'on' }, fields)).toMatch(TRIED)
  })

  it('KMS_ALLOW_SECRET_FILES is where its secret files may be', async () => {
    const folder = temporaryFolder()
    const fields = { ...here, auth_method: { token_file: { path: `${folder}/token` } } }
    const refusal = /^PolicyViolation: (auth_method.token_file.path|ca_cert_path): .*KMS_ALLOW_SECRET_FILES/
    const authority = { ...here, ca_cert_path: `${folder}/ca.pem` }
    for (const each of [fields, authority]) {
      expect(await attempt({}, each)).toMatch(refusal)
      expect(await attempt({ KMS_ALLOW_SECRET_FILES: folder }, each)).toMatch(/^ValidationError: .*does not exist/)
    }
    writeFileSync(`${folder}/token`, 'hvs.example')
    expect(await attempt({ KMS_ALLOW_SECRET_FILES: folder }, fields)).toMatch(TRIED)
  })

  it('nothing lets it be a metadata service', async () => {
    const env = { KMS_ALLOW_VAULT_HOSTS: '169.254.169.254', KMS_ALLOW_HTTP_VAULT: 'on' }
    for (const address of ['http://169.254.169.254', 'https://169.254.169.254', 'http://[::ffff:a9fe:a9fe]']) {
      expect(await attempt(env, { address })).toMatch(/^PolicyViolation: address/)
    }
  })

  it('RUSTFS_KMS_* settings configure it at the first start', async () => {
    const env = {
      RUSTFS_KMS_ENABLE: 'on',
      RUSTFS_KMS_BACKEND: 'vault',
      RUSTFS_KMS_VAULT_ADDRESS: here.address,
      RUSTFS_KMS_VAULT_TOKEN: 'hvs.example',
      RUSTFS_KMS_RETRY_ATTEMPTS: '0',
      KMS_DATA_DIR: `${temporaryFolder()}/data`,
    }
    await expect(startServer({ env })).rejects.toThrow(/could not be applied: .*the connection was refused/)
  })
})
