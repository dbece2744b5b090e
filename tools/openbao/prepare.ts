import { readFileSync } from 'node:fs'
import type { OpenBao, Reply } from './openbao-server.ts'

/** The policy the documentation gives operators. */
export const policy: string = readFileSync(
  new URL('../../packages/backend-vault/policies/kms.hcl', import.meta.url),
  'utf8',
)

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
  readonly settings?: Readonly<Record<string, unknown>>
}

/** A policy and an AppRole of it, as an operator would make them; each call gives another secret id. */
export async function makeAppRole(server: OpenBao, options: AppRoleOptions = {}): Promise<AppRole> {
  const { name = 'kms', settings = { token_ttl: '1h', token_max_ttl: '4h' } } = options
  await makePolicy(server, name, options.policy)
  const mounts = await must(server, 'GET', 'sys/auth')
  if (mounts.data['approle/'] === undefined) await server.cli('auth', 'enable', 'approle')
  const role = `auth/approle/role/${name}`
  await must(server, 'POST', role, { token_policies: [name], ...settings })
  const roleId = await must(server, 'GET', `${role}/role-id`)
  const secretId = await must(server, 'POST', `${role}/secret-id`, {})
  return { role_id: roleId.data.role_id, secret_id: secretId.data.secret_id }
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
  const body = await must(server, 'POST', 'auth/token/create', { policies: [name], ...settings })
  return body.auth.client_token
}

/** Calls the API, and fails when it says no. */
async function must(server: OpenBao, method: string, path: string, body?: unknown): Promise<Reply['body']> {
  const reply = await server.api(method, path, body)
  if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body
}

async function makePolicy(server: OpenBao, name: string, text: string = policy): Promise<void> {
  await must(server, 'PUT', `sys/policies/acl/${name}`, { policy: text })
}
