import { isDeepStrictEqual } from 'node:util'
import { type ConfigChange, isKmsClientError, type KeyMetadata, type KmsClient } from '@kms/client'
import { usageError } from '../exit-codes.ts'
import type { Manifest, ManifestKey, ManifestUser } from './manifest.ts'

/** One thing to do, and how it reads. */
export interface Step {
  /** `+` makes, `~` changes. */
  readonly sign: '+' | '~'
  readonly text: string
  run(): Promise<unknown>
}

/** Fields whose values are never shown. */
const SECRETS = /secret|token|password|passphrase|master_key$|client_key/

/** What has to be done to the service before keys can be looked at. */
export async function planService(client: KmsClient, { config, state }: Manifest): Promise<Step[]> {
  const { status } = await client.call('getStatus')
  const wanted = state ?? (config === undefined ? undefined : 'running')
  const steps: Step[] = []
  if (config !== undefined) {
    if (status === 'NotConfigured') {
      steps.push({
        sign: '+',
        text: `configuration ${shown(config)}`,
        run: () => client.call('configure', { body: config }),
      })
    } else {
      const stored = await client.call('getConfig')
      const changes = compareConfig(stored, config)
      if (changes.length > 0) steps.push(...(await planChange(client, config, changes, status === 'Running')))
    }
  }
  const willRun = status === 'Running' || (steps.length > 0 && status !== 'NotConfigured' && wanted === 'running')
  if (wanted === 'running' && !willRun)
    steps.push({ sign: '~', text: 'service: start', run: () => client.call('start') })
  if (wanted === 'stopped' && status === 'Running') {
    steps.push({ sign: '~', text: 'service: stop', run: () => client.call('stop') })
  }
  return steps
}

/** The fields that differ as far as can be seen: a secret that is stored shows as `***` and is believed to be the one. */
function compareConfig(
  stored: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): ConfigChange[] {
  return Object.entries(wanted).flatMap(([path, to]) =>
    isDeepStrictEqual(masked(stored[path], to), stored[path]) ? [] : [{ path, from: stored[path], to }],
  )
}

/** `wanted` with `***` wherever `stored` has it. */
function masked(stored: unknown, wanted: unknown): unknown {
  if (stored === '***' && typeof wanted === 'string' && wanted !== '') return '***'
  if (typeof stored !== 'object' || typeof wanted !== 'object' || stored === null || wanted === null) return wanted
  if (Array.isArray(stored) || Array.isArray(wanted)) return wanted
  return Object.fromEntries(
    Object.entries(wanted).map(([name, inner]) => [name, masked((stored as Record<string, unknown>)[name], inner)]),
  )
}

/** The server knows better than we do whether another spelling is another value: it is asked, and proves the change. */
async function planChange(
  client: KmsClient,
  config: Readonly<Record<string, unknown>>,
  seen: readonly ConfigChange[],
  runs: boolean,
): Promise<Step[]> {
  const rehearsal = runs ? await client.call('reconfigure', { body: config, query: { dry_run: true } }) : undefined
  const changes = rehearsal?.diff ?? seen
  if (changes.length === 0) return []
  const text = changes.map(({ path, from, to }) => `\n    ${path}: ${value(path, from)} → ${value(path, to)}`).join('')
  return [{ sign: '~', text: `configuration${text}`, run: () => client.call('reconfigure', { body: config }) }]
}

export async function planKeys(client: KmsClient, keys: readonly ManifestKey[]): Promise<Step[]> {
  const steps: Step[] = []
  for (const key of keys) {
    const found = await describe(client, key.name)
    steps.push(...(found === undefined ? planNewKey(client, key) : planKey(client, key, found)))
  }
  return steps
}

async function describe(client: KmsClient, key_id: string): Promise<KeyMetadata | undefined> {
  try {
    return (await client.call('describeKey', { path: { key_id } })).key_metadata
  } catch (error) {
    if (isKmsClientError(error, 'KeyNotFound')) return undefined
    throw error
  }
}

function planNewKey(client: KmsClient, key: ManifestKey): Step[] {
  const { name: key_name, description, tags } = key
  const body = {
    key_name,
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags }),
  }
  const made = { sign: '+', text: `key ${key_name}`, run: () => client.call('createKey', { body }) } as const
  const fresh = {
    enabled: true,
    aliases: [],
    rotation_period_days: null,
    tags: tags ?? {},
    description: description ?? '',
  }
  return [made, ...planKey(client, key, fresh)]
}

type KeyFacts = Pick<KeyMetadata, 'enabled' | 'aliases' | 'rotation_period_days' | 'tags' | 'description'>

function planKey(client: KmsClient, key: ManifestKey, found: KeyFacts): Step[] {
  const { name: key_id, description, tags, aliases = [], enabled, rotation_period_days: days } = key
  const steps: Step[] = []
  const change = (text: string, run: () => Promise<unknown>): void =>
    void steps.push({ sign: '~', text: `key ${key_id}: ${text}`, run })
  if (description !== undefined && description !== found.description) {
    change('description', () => client.call('updateKeyDescription', { body: { key_id, description } }))
  }
  if (tags !== undefined && !isDeepStrictEqual({ ...found.tags, ...tags }, { ...found.tags })) {
    change(`tags ${Object.keys(tags).join(', ')}`, () => client.call('tagKey', { body: { key_id, tags } }))
  }
  for (const alias of aliases.filter((name) => !found.aliases.includes(name))) {
    change(`alias ${alias}`, () => client.call('addAlias', { body: { key_id, alias } }))
  }
  if (days !== undefined && days !== found.rotation_period_days) {
    const text = days === null ? 'rotation never' : `rotation every ${days} days`
    change(text, () => client.call('setRotationPeriod', { body: { key_id, days } }))
  }
  if (enabled !== undefined && enabled !== found.enabled) {
    change(enabled ? 'enable' : 'disable', () =>
      client.call(enabled ? 'enableKey' : 'disableKey', { body: { key_id } }),
    )
  }
  return steps
}

export async function planPolicies(client: KmsClient, policies: Manifest['policies']): Promise<Step[]> {
  if (policies.length === 0) return []
  const known = await client.call('listPolicies')
  return policies.flatMap(({ name, document }): Step[] => {
    const found = Object.hasOwn(known, name) ? known[name] : undefined
    if (isDeepStrictEqual(found, document)) return []
    const run = () => client.call('addPolicy', { query: { name }, body: document })
    return [{ sign: found === undefined ? '+' : '~', text: `policy ${name}`, run }]
  })
}

export async function planUsers(client: KmsClient, users: readonly ManifestUser[]): Promise<Step[]> {
  if (users.length === 0) return []
  const known = await client.call('listUsers')
  return users.flatMap((user): Step[] => {
    const { access_key: accessKey, secret_key: secretKey, status, policies } = user
    const found = Object.hasOwn(known, accessKey) ? known[accessKey] : undefined
    const policyName = policies?.join(',')
    if (found === undefined) {
      if (secretKey === undefined) {
        throw usageError(
          `User ${accessKey} is new and needs a secret_key: {$env: NAME} or {$file: path} keep it out of the document.`,
        )
      }
      const body = {
        secretKey,
        status: status ?? 'enabled',
        ...(policyName === undefined ? {} : { policy: policyName }),
      }
      return [
        { sign: '+', text: `user ${accessKey}`, run: () => client.call('addUser', { query: { accessKey }, body }) },
      ]
    }
    const steps: Step[] = []
    if (status !== undefined && status !== found.status) {
      const run = () => client.call('setUserStatus', { query: { accessKey, status } })
      steps.push({ sign: '~', text: `user ${accessKey}: ${status}`, run })
    }
    if (policies !== undefined && !sameNames(policies, found.policyName)) {
      const run = () => client.call('setPolicy', { query: { policyName: policies.join(','), userOrGroup: accessKey } })
      steps.push({ sign: '~', text: `user ${accessKey}: policies ${policies.join(', ')}`, run })
    }
    return steps
  })
}

function sameNames(wanted: readonly string[], found: string | undefined): boolean {
  const names = (found ?? '').split(',').filter((name) => name !== '')
  return isDeepStrictEqual(new Set(wanted), new Set(names))
}

function shown(config: Readonly<Record<string, unknown>>): string {
  return Object.entries(config)
    .map(([path, inner]) => `\n    ${path}: ${value(path, inner)}`)
    .join('')
}

function value(path: string, inner: unknown): string {
  if (inner === undefined) return '(nothing)'
  if (SECRETS.test(path) && typeof inner === 'string') return '***'
  return JSON.stringify(inner, (name, each: unknown) => (SECRETS.test(name) && typeof each === 'string' ? '***' : each))
}
