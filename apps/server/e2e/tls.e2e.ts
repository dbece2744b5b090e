import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { makeCertificate } from '../../../tools/certificates.ts'
import { call, createAdmin } from './client.ts'
import { startServer, temporaryFolder } from './server-process.ts'

/** The common name a server shows, and the protocol it agrees on. */
function shake(port: number, options: { maxVersion?: 'TLSv1.1' } = {}): Promise<[string, string | null]> {
  return new Promise((resolve, reject) => {
    // Without a low security level the client itself refuses the old protocol.
    const old = options.maxVersion === undefined ? {} : { minVersion: 'TLSv1' as const, ciphers: 'DEFAULT@SECLEVEL=0' }
    const socket: TLSSocket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      rejectUnauthorized: false,
      ...options,
      ...old,
    })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      resolve([String(socket.getPeerCertificate().subject.CN), socket.getProtocol()])
      socket.destroy()
    })
  })
}

describe('TLS', () => {
  it('serves https from TLS 1.2 on, and reads the certificate again on SIGHUP', async () => {
    const folder = temporaryFolder()
    const first = makeCertificate(folder, 'first')
    const second = makeCertificate(folder, 'second')
    const server = await startServer({
      env: { KMS_DATA_DIR: join(folder, 'data'), KMS_TLS_CERT: first.cert, KMS_TLS_KEY: first.key },
    })
    expect(server.url).toMatch(/^https:\/\/localhost:/)
    const ca = readFileSync(first.cert, 'utf8')
    const secondCa = readFileSync(second.cert, 'utf8')
    const admin = createAdmin(server.url, { ca })
    await admin.begin(join(folder, 'keys'))
    expect((await admin.dataKey()).key_id).toBe('main')
    expect(await shake(server.port)).toEqual(['first', 'TLSv1.3'])
    await expect(shake(server.port, { maxVersion: 'TLSv1.1' })).rejects.toThrow(/alert|version|protocol/i)

    renameSync(second.cert, first.cert)
    renameSync(second.key, first.key)
    server.kill('SIGHUP')
    await server.until('"tls_reloaded"')
    expect(await shake(server.port)).toEqual(['second', 'TLSv1.3'])
    expect((await call(`${server.url}/health/ready`, { signed: false, ca: secondCa })).status).toBe(200)

    writeFileSync(first.key, 'damaged')
    server.kill('SIGHUP')
    await server.until('"tls_reload_failed"')
    expect(await shake(server.port)).toEqual(['second', 'TLSv1.3'])
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })
})
