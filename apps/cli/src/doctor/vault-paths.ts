import type { Finding } from './doctor.ts'

/** A path of Vault and what the server does there. */
export interface VaultPath {
  readonly path: string
  readonly capabilities: readonly string[]
  readonly what: string
}

/** What the server asks of Vault, by the mounts and the prefix of its configuration (packages/backend-vault/policies/kms.hcl). */
export function vaultPaths(summary: Readonly<Record<string, unknown>>): VaultPath[] {
  const transit = textIn(summary, 'mount_path', 'transit')
  const kv = textIn(summary, 'kv_mount', 'secret')
  const prefix = textIn(summary, 'key_path_prefix', 'rustfs/kms/keys')
  return [
    { path: `${transit}/keys`, capabilities: ['list'], what: 'list keys' },
    {
      path: `${transit}/keys/x`,
      capabilities: ['read', 'update', 'delete'],
      what: 'make, describe and destroy keys',
    },
    { path: `${transit}/keys/x/config`, capabilities: ['update'], what: 'destroy keys' },
    { path: `${transit}/keys/x/rotate`, capabilities: ['update'], what: 'rotate keys' },
    { path: `${transit}/wrapping_key`, capabilities: ['read'], what: 'import keys' },
    { path: `${transit}/keys/x/import`, capabilities: ['update'], what: 'import keys' },
    { path: `${transit}/encrypt/x`, capabilities: ['update'], what: 'wrap' },
    { path: `${transit}/decrypt/x`, capabilities: ['update'], what: 'unwrap' },
    { path: `${kv}/metadata/${prefix}`, capabilities: ['list'], what: 'list records' },
    { path: `${kv}/data/${prefix}/x`, capabilities: ['create', 'read', 'update'], what: 'keep records' },
  ]
}

/** Asks Vault what the token in `VAULT_TOKEN` may do on these paths; says how to ask when there is none. */
export async function checkVault(
  summary: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding[]> {
  const token = env['VAULT_TOKEN']
  const address = env['VAULT_ADDR'] ?? textIn(summary, 'address', '')
  const check = 'Vault policy'
  if (token === undefined) {
    const text =
      'Set VAULT_TOKEN to a token of the policy the server has, to have it compared with what the server needs.'
    return [{ check, outcome: 'note', text }]
  }
  const paths = vaultPaths(summary)
  let capabilities: Readonly<Record<string, unknown>>
  try {
    const namespace = summary['namespace']
    const reply = await fetch(`${address.replace(/\/+$/, '')}/v1/sys/capabilities-self`, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
      headers: {
        'x-vault-token': token,
        'x-vault-request': 'true',
        ...(typeof namespace === 'string' ? { 'x-vault-namespace': namespace } : {}),
      },
      body: JSON.stringify({ paths: paths.map(({ path }) => path) }),
    })
    const { data } = (await reply.json()) as { readonly data?: Readonly<Record<string, unknown>> }
    if (reply.status !== 200 || data === undefined) {
      return [
        {
          check,
          outcome: 'problem',
          text: `Vault answers ${reply.status} to sys/capabilities-self: is VAULT_TOKEN right?`,
        },
      ]
    }
    capabilities = data
  } catch {
    return [{ check, outcome: 'problem', text: `Vault at ${address} could not be asked. Can it be reached from here?` }]
  }
  const gaps = paths.flatMap((needed) => gapOf(needed, capabilities[needed.path]))
  const good: Finding = { check, outcome: 'good', text: 'The token may do all that the server needs.' }
  return gaps.length === 0 ? [good] : gaps.map((text) => ({ check, outcome: 'problem', text }))
}

function textIn(summary: Readonly<Record<string, unknown>>, name: string, otherwise: string): string {
  const value = summary[name]
  return typeof value === 'string' ? value : otherwise
}

function gapOf({ path, capabilities, what }: VaultPath, found: unknown): string[] {
  const had = Array.isArray(found) ? (found as string[]) : []
  if (had.includes('root')) return []
  const missing = had.includes('deny') ? capabilities : capabilities.filter((each) => !had.includes(each))
  if (missing.length === 0) return []
  const shown = path.replace(/\/x(?=\/|$)/, '/+')
  return [`path "${shown}" needs ${missing.map((each) => `"${each}"`).join(', ')}, to ${what}.`]
}
