import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { localDriver } from '@kms/backend-local'
import {
  createFileCanaryStore,
  createFileConfigStore,
  createKmsManager,
  createServerKey,
  parseEncryptionContext,
  systemRandom,
} from '@kms/core'

const directory = await mkdtemp(join(tmpdir(), 'kms-'))
const data = join(directory, 'data')
const drivers = [
  localDriver({
    rootKeyDir: join(data, 'root-keys'),
    environment: (name) => process.env[name],
    policy: { forbiddenDirs: [data] },
  }),
]
const manager = createKmsManager({
  drivers,
  configStore: await createFileConfigStore({
    directory: data,
    drivers,
    keys: { current: createServerKey(systemRandom(32)) },
    random: systemRandom,
    onRecovered: console.warn,
  }),
  canaryStore: createFileCanaryStore({
    directory: join(data, 'canaries'),
    random: systemRandom,
    onDamaged: console.warn,
  }),
})
const caller = { principal: 'root' }
await manager.boot()
const config = { backend_type: 'local', key_dir: join(directory, 'keys'), master_key: 'correct horse battery staple' }
await manager.configure({ ...config, default_key_id: 'orders' }, caller)
await manager.start({ force: false }, caller)

const context = parseEncryptionContext({ purpose: 'readme' })
const authorize = (keyId: string) => console.log(`asked for ${keyId}`)
const { plaintext, ciphertext } = await manager.data.generateDataKey({ spec: 'AES_256', context, authorize })
await manager.stop(caller)
await manager.start({ force: false }, caller)
const opened = await manager.data.decrypt({ ciphertext, context, authorize })
console.log(opened.plaintext.equals(plaintext))
await manager.close()
await rm(directory, { recursive: true })
