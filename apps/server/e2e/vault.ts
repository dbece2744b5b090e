import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { requireOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { type OpenBao, startOpenBao } from '../../../tools/openbao/openbao-server.ts'
import { type AppRole, makeAppRole, policy, prepareMounts } from '../../../tools/openbao/prepare.ts'
import { plant } from './log-check.ts'
import { type Cleanup, temporaryFolder } from './server-process.ts'

const DEFAULT_PREFIX = 'rustfs/kms/keys'

/** A real Vault for one test, and what a server needs to trust it. */
export interface TestVault extends OpenBao {
  /** Environment for a server that trusts its authority. */
  readonly trust: Readonly<Record<string, string>>
  /** Another role of the documented policy with every call; of the same one for another prefix than the default. */
  role(prefix?: string): Promise<AppRole>
  /** What a configuration names to get to it, with a role of its own. */
  config(more?: { readonly key_path_prefix?: string; readonly [field: string]: unknown }): Promise<object>
}

/** Starts OpenBao, with empty mounts if `mounts` is not true; without one the test is skipped. */
export async function startVault(
  skip: (reason: string) => never,
  { mounts = true, cleanup = onTestFinished }: { readonly mounts?: boolean; readonly cleanup?: Cleanup } = {},
): Promise<TestVault> {
  const program = requireOpenBao(skip)
  const server = await startOpenBao({ program, cleanup })
  if (mounts) await prepareMounts(server)
  plant(server.rootToken)
  const ca = join(temporaryFolder(cleanup), 'ca.pem')
  writeFileSync(ca, server.ca)
  let roles = 0
  const role = async (prefix = DEFAULT_PREFIX): Promise<AppRole> => {
    const made = await makeAppRole(server, {
      name: `kms-${roles++}`,
      policy: policy.replaceAll(DEFAULT_PREFIX, prefix),
    })
    plant(made.secret_id)
    return made
  }
  return {
    ...server,
    trust: { NODE_EXTRA_CA_CERTS: ca },
    role,
    config: async (more = {}) => ({
      backend_type: 'vault',
      address: server.address,
      auth_method: { approle: await role(more.key_path_prefix) },
      default_key_id: 'rustfs-master',
      ...more,
    }),
  }
}
