import { kmsError } from '@kms/core'
import type { VaultConfig } from './config/vault-config.ts'
import { dataOf } from './keys/vault-answers.ts'
import type { Operation } from './transport/operation.ts'
import type { VaultClient } from './transport/vault-client.ts'

/**
 * Looks at the mounts before anything is written: a KV of version 1 would take a record as it is, without versions. Every
 * token may ask about mounts it has rights on; one that may not is not held up. Throws `StoreUnwritable`. Returns remarks.
 */
export async function inspectMounts(
  operation: Operation,
  client: VaultClient,
  { transitMount, kvMount, prefix }: VaultConfig,
): Promise<readonly string[]> {
  const [transit, kv, rights] = await Promise.all([
    readMount(operation, client, transitMount),
    readMount(operation, client, kvMount),
    readRights(operation, client, `${transitMount}/encrypt/${UNUSED_NAME}`),
  ])
  if (transit !== undefined && transit.type !== 'transit') {
    throw unusable(client, transitMount, `it is of type ${transit.type}; mount_path must name a Transit engine`)
  }
  if (kv !== undefined && !(kv.type === 'kv' && kv.version === '2')) {
    const found = kv.type === 'kv' ? 'KV of version 1' : `of type ${kv.type}`
    throw unusable(client, kvMount, `it is ${found}; kv_mount must name a KV of version 2`)
  }
  if (!rights.includes('create') && !rights.includes('root')) return []
  return [
    `The token may create keys by encrypting: with the capability "create" on ${transitMount}/encrypt/*, Transit makes a key of any name it does not know, a destroyed one included. Grant "update" only (see the policy for ${kvMount}/${prefix} in the operations guide).`,
  ]
}

/** No key is called so, and none is made by asking. */
const UNUSED_NAME = 'kms-probe-of-rights'

interface Mount {
  readonly type: string
  readonly version: unknown
}

async function readMount(operation: Operation, client: VaultClient, mount: string): Promise<Mount | undefined> {
  const reply = await client.request(operation, {
    request: 'mounts',
    method: 'GET',
    path: ['sys/internal/ui/mounts', mount],
  })
  const { type, options } = dataOf(reply)
  if (reply.status !== 200 || typeof type !== 'string') return undefined
  const version =
    typeof options === 'object' && options !== null ? (options as Record<string, unknown>)['version'] : undefined
  return { type: /^[a-z0-9_-]{1,40}$/.test(type) ? type : 'none that is known', version }
}

async function readRights(operation: Operation, client: VaultClient, path: string): Promise<readonly unknown[]> {
  const body = { paths: [path] }
  const reply = await client.request(operation, {
    request: 'rights',
    method: 'POST',
    path: ['sys/capabilities-self'],
    body,
  })
  const rights = dataOf(reply)[path]
  return Array.isArray(rights) ? rights : []
}

function unusable({ place }: VaultClient, mount: string, reason: string): Error {
  return kmsError('StoreUnwritable', { path: `${mount}/ at ${place}`, reason })
}
