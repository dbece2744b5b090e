import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { OpenBao } from './openbao-server.ts'

/** The policy the documentation gives operators. */
const policyFile: string = fileURLToPath(new URL('../../packages/backend-vault/policies/kms.hcl', import.meta.url))

/** The policy's text, for tests that take something from it. */
export const policy: string = readFileSync(policyFile, 'utf8')

/** What the playbook tells an operator to do, command by command, with the CLI. */
export async function prepareMounts(server: OpenBao): Promise<void> {
  await server.cli('secrets', 'enable', 'transit')
  await server.cli('secrets', 'enable', '-path=secret', 'kv-v2')
  await server.cli('write', 'transit/keys/rustfs-master', 'type=aes256-gcm96')
}

export interface AppRole {
  readonly role_id: string
  readonly secret_id: string
}

export interface AppRoleOptions {
  /** Name of the role and of its policy. */
  readonly name?: string
  /** Text of its policy instead of the documented one. */
  readonly policy?: string
  /** Settings of the role, as `bao write` takes them. */
  readonly settings?: readonly string[]
}

/** A policy and an AppRole of it, as an operator would make them; each call gives another secret id. */
export async function makeAppRole(server: OpenBao, options: AppRoleOptions = {}): Promise<AppRole> {
  const { name = 'kms', settings = ['token_ttl=1h', 'token_max_ttl=4h'] } = options
  await makePolicy(server, name, options.policy)
  const { body: mounts } = await server.api('GET', 'sys/auth')
  if (mounts.data['approle/'] === undefined) await server.cli('auth', 'enable', 'approle')
  await server.cli('write', `auth/approle/role/${name}`, `token_policies=${name}`, ...settings)
  const roleId = await server.cli('read', '-field=role_id', `auth/approle/role/${name}/role-id`)
  const secretId = await server.cli('write', '-f', '-field=secret_id', `auth/approle/role/${name}/secret-id`)
  return { role_id: roleId.trim(), secret_id: secretId.trim() }
}

/** A token of the documented policy, or of another text. */
export async function makeToken(
  server: OpenBao,
  options: {
    readonly name?: string
    readonly policy?: string
    readonly settings?: Readonly<Record<string, unknown>>
  } = {},
): Promise<string> {
  const { name = 'kms', settings = { ttl: '1h' } } = options
  await makePolicy(server, name, options.policy)
  const { body } = await server.api('POST', 'auth/token/create', { policies: [name], ...settings })
  return body.auth.client_token
}

async function makePolicy(server: OpenBao, name: string, text: string | undefined): Promise<void> {
  if (text === undefined) return void (await server.cli('policy', 'write', name, policyFile))
  await server.api('PUT', `sys/policies/acl/${name}`, { policy: text })
}
