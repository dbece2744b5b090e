import { randomBytes } from 'node:crypto'
import { type KeyBackend, systemClock } from '@kms/core'
import { describeKeyLife } from '@kms/core/testing'
import { describe } from 'vitest'
import { makeToken, policy } from '../../../tools/openbao/prepare.ts'
import { liveVault, openLive } from './live-vault.ts'

const slow = process.env['SLOW'] === '1'

describe('on a real server', () => {
  const vault = liveVault()

  describeKeyLife(
    'vault',
    async () => {
      const { server } = vault
      const name = `t${randomBytes(6).toString('hex')}`
      await server.api('POST', `sys/mounts/${name}`, { type: 'transit' })
      const own = policy.replaceAll('"transit/', `"${name}/`).replaceAll('rustfs/kms/keys', `${name}/keys`)
      const token = await makeToken(server, { name, policy: own })
      const opened: KeyBackend[] = []
      return {
        async open({ now }) {
          const fields = { auth_method: { token }, mount_path: name, key_path_prefix: `${name}/keys` }
          const { backend } = await openLive(server, fields, { clock: { now, after: systemClock.after } })
          opened.push(backend)
          return backend
        },
        async cleanup() {
          for (const backend of opened) await backend.close()
        },
      }
    },
    { runs: slow ? 40 : 3, length: 25, retiresIds: true, ownClock: true, timeoutMs: slow ? 1_200_000 : 120_000 },
  )
})
