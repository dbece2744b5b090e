import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OpenBao } from '../../../tools/openbao/openbao-server.ts'
import { type Cleanup, startOpenBao } from '../../../tools/openbao/openbao-server.ts'
import { makeAppRole, prepareMounts } from '../../../tools/openbao/prepare.ts'

/** A place keys can be moved to. */
export interface SoakBackend {
  /** What `backend_summary` shows of it: a directory or an address. */
  readonly place: string
  /** The whole of a configuration for it. */
  readonly config: Readonly<Record<string, unknown>>
  /** Absent for a directory. */
  readonly vault?: OpenBao
}

export interface SoakBackendsOptions {
  readonly folder: string
  /** The program of Vault or OpenBao; without one there are directories only. */
  readonly program: string | undefined
  readonly cleanup: Cleanup
}

/** Two directories and two Vaults, or four directories; and a file of the authorities to trust. */
export async function makeBackends({ folder, program, cleanup }: SoakBackendsOptions): Promise<{
  readonly backends: readonly SoakBackend[]
  readonly authorities: string
}> {
  const directories = (program === undefined ? ['a', 'b', 'c', 'd'] : ['a', 'b']).map((name): SoakBackend => {
    const place = join(folder, `keys-${name}`)
    return { place, config: { backend_type: 'local', key_dir: place, default_key_id: 'rustfs-master' } }
  })
  const vaults: SoakBackend[] = []
  const authorities: string[] = []
  for (const name of program === undefined ? [] : ['one', 'two']) {
    const vault = await startOpenBao({ program: program as string, cleanup, node: name })
    await prepareMounts(vault)
    authorities.push(vault.ca)
    const approle = await makeAppRole(vault)
    vaults.push({
      place: vault.address,
      vault,
      config: {
        backend_type: 'vault',
        address: vault.address,
        auth_method: { approle },
        default_key_id: 'rustfs-master',
        timeout_seconds: 10,
      },
    })
  }
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'authorities.pem')
  writeFileSync(file, authorities.join('\n'))
  return { backends: [...directories, ...vaults], authorities: file }
}
