import { vaultDriver } from '@kms/backend-vault'
import { systemClock, systemRandom } from '@kms/core'
import { z } from 'zod'

// A server that was prepared as docs/operations.md says, and a token of the policy it gives.
const { VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_CACERT_PEM: ca_cert } = process.env
const driver = vaultDriver({ policy: { allowHosts: ['127.0.0.1', 'vault.example.com'] }, onWarning: console.warn })
const fields = z.strictObject(driver.shape).parse({ address, auth_method: { token: { token } }, ca_cert })
const common = { timeout_seconds: 30, retry_attempts: 3, enable_cache: true, max_cached_keys: 1000 }
const { backend, initialised } = await driver.open(
  { backend_type: 'vault', cache_ttl_seconds: 300, allow_offline_decryption: false, ...common, ...fields },
  { clock: systemClock, random: systemRandom, mayInitialise: true, signal: AbortSignal.timeout(30_000) },
)
console.log(initialised)

// The operator's own key, and one of ours.
const master = await backend.describe('rustfs-master')
console.log(master.origin, master.adopted, master.currentVersion)
const orders = await backend.create({ keyId: 'orders', aliases: [], description: '', tags: new Map() })
console.log(orders.origin, orders.adopted, orders.currentVersion)

const aad = systemRandom(32)
const request = { keyId: 'orders', version: orders.currentVersion, plaintext: Buffer.from('secret'), aad }
const wrapped = await backend.wrap(request)
const { algorithm } = backend
const { materialId } = orders
console.log(String(await backend.unwrap({ ...request, algorithm, materialId, wrapped })))
await backend.close()
