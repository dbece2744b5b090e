import { randomBytes } from 'node:crypto'
import type { KeyMetadata, KmsClient } from '@kms/client'
import { isKmsClientError } from '@kms/client'
import type { Io } from './io.ts'
import { createProgressBar } from './progress-bar.ts'

/** What can be done to many keys. */
export const bulkActions = ['rotate', 'enable', 'disable', 'verify'] as const
export type BulkAction = (typeof bulkActions)[number]

export interface BulkResult {
  readonly key_id: string
  /** `ok`, `skipped`, or the code of what went wrong. */
  readonly outcome: string
  readonly message?: string
}

export interface BulkOptions {
  readonly action: BulkAction
  /** `*` stands for anything. */
  readonly match: string
  /** Keys at a time. */
  readonly concurrency: number
}

/** Does something to every key whose id matches, a few at a time, and says how each ended. */
export async function runBulk(
  client: KmsClient,
  { action, match, concurrency }: BulkOptions,
  io: Pick<Io, 'interactive' | 'err'>,
): Promise<BulkResult[]> {
  const pattern = new RegExp(`^${match.split('*').map(escape).join('.*')}$`, 's')
  const keys: KeyMetadata[] = []
  for await (const key of client.allKeys()) if (pattern.test(key.key_id)) keys.push(key)
  const bar = createProgressBar(keys.length, io)
  const results = new Map<string, BulkResult>()
  const left = [...keys]
  const work = async (): Promise<void> => {
    for (let key = left.shift(); key !== undefined; key = left.shift()) {
      results.set(key.key_id, await once(client, action, key))
      bar.step()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  bar.end()
  return keys.map(({ key_id }) => results.get(key_id) as BulkResult)
}

async function once(client: KmsClient, action: BulkAction, { key_id, key_state }: KeyMetadata): Promise<BulkResult> {
  const body = { key_id }
  try {
    if (action === 'verify') {
      if (key_state !== 'Enabled') return { key_id, outcome: 'skipped', message: `it is ${key_state}` }
      return await verify(client, key_id)
    }
    if (action === 'enable' && key_state === 'Enabled') return { key_id, outcome: 'skipped', message: 'it is Enabled' }
    if (action === 'disable' && key_state === 'Disabled')
      return { key_id, outcome: 'skipped', message: 'it is Disabled' }
    if (action === 'rotate' && key_state !== 'Enabled')
      return { key_id, outcome: 'skipped', message: `it is ${key_state}` }
    await client.call(action === 'rotate' ? 'rotateKey' : action === 'enable' ? 'enableKey' : 'disableKey', { body })
    return { key_id, outcome: 'ok' }
  } catch (error) {
    if (!isKmsClientError(error)) throw error
    return { key_id, outcome: error.code, message: error.message }
  }
}

/** Wraps under the key, opens that, and sees that another context does not. */
async function verify(client: KmsClient, key_id: string): Promise<BulkResult> {
  const encryption_context = { verification: randomBytes(8).toString('hex') }
  const made = await client.call('generateDataKey', { body: { key_id, encryption_context } })
  const { ciphertext_blob } = made
  const opened = await client.call('decrypt', { body: { ciphertext_blob, encryption_context } })
  if (opened.plaintext !== made.plaintext_key) return { key_id, outcome: 'WrongPlaintext' }
  try {
    await client.call('decrypt', { body: { ciphertext_blob } })
    return { key_id, outcome: 'ContextIgnored', message: 'what it wrapped opens without its encryption context' }
  } catch (error) {
    if (isKmsClientError(error, 'InvalidCiphertext')) return { key_id, outcome: 'ok' }
    throw error
  }
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
