import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  createServerKey,
  parseEncryptionContext,
  systemRandom,
} from '@kms/core'
import { memoryDriver } from '@kms/core/testing'

const directory = await mkdtemp(join(tmpdir(), 'kms-'))
const drivers = [memoryDriver()]
const manager = createKmsManager({
  drivers,
  configStore: await createFileConfigStore({
    directory,
    drivers,
    keys: { current: createServerKey(systemRandom(32)) },
    random: systemRandom,
    onRecovered: console.warn,
  }),
  canaryStore: createFileCanaryStore({
    directory: join(directory, 'canaries'),
    random: systemRandom,
    onDamaged: console.warn,
  }),
})
const caller = { principal: 'root' }
await manager.boot()
await manager.configure({ backend_type: 'memory', name: 'demo', default_key_id: 'master' }, caller)
await manager.start({ force: false }, caller)

const context = parseEncryptionContext({ purpose: 'readme' })
const authorize = (keyId: string) => console.log(`asked for ${keyId}`)
const { plaintext, ciphertext } = await manager.data.generateDataKey({ spec: 'AES_256', context, authorize })
await manager.reconfigure({ name: 'elsewhere' }, caller)
const opened = await manager.data.decrypt({ ciphertext, context, authorize })
console.log(opened.plaintext.equals(plaintext))
await manager.close()
await rm(directory, { recursive: true })
