import { randomBytes } from 'node:crypto'
import type { KeyBackend } from '@kms/core'
import { describeKeyBackend } from '@kms/core/testing'
import { describe } from 'vitest'
import { makeToken, policy } from '../../../tools/openbao/prepare.ts'
import { liveVault, openLive } from './live-vault.ts'

/** The contract of the port against a real server: each test in a Transit mount and under a prefix of its own. */
describe('on a real server', () => {
  const vault = liveVault()

  describeKeyBackend('vault', async () => {
    const { server } = vault
    const name = `t${randomBytes(6).toString('hex')}`
    await server.api('POST', `sys/mounts/${name}`, { type: 'transit' })
    // Exactly the documented policy, for these places.
    const own = policy.replaceAll('"transit/', `"${name}/`).replaceAll('rustfs/kms/keys', `${name}/keys`)
    const token = await makeToken(server, { name, policy: own })
    const opened: KeyBackend[] = []
    const open = async (): Promise<KeyBackend> => {
      const fields = { auth_method: { token }, mount_path: name, key_path_prefix: `${name}/keys` }
      const { backend } = await openLive(server, fields)
      opened.push(backend)
      return backend
    }
    return {
      open,
      reopen: open,
      retiresIds: true,
      async damage(keyId) {
        await server.api('POST', `secret/data/${name}/keys/${keyId}`, { data: { format: 1, kind: 'other' } })
      },
      async cleanup() {
        for (const backend of opened) await backend.close()
      },
    }
  })
})
