import type { Random } from '@kms/core'
import type { Operation } from '../transport/operation.ts'
import type { VaultClient } from '../transport/vault-client.ts'
import type { VaultReply } from '../transport/vault-transport.ts'
import { dataOf, isAbsent, unexpected } from './vault-answers.ts'

/** What KV holds at a name. */
export interface KvItem {
  /** The version compare-and-set compares; 0 when nothing was ever written. */
  readonly version: number
  /** What was written; unset when nothing was, or somebody deleted it. */
  readonly data?: Readonly<Record<string, unknown>>
  /** Milliseconds since it was written, by Vault's own clock. */
  readonly ageMs: number
}

/**
 * Compare-and-set on a KV v2 mount below a prefix. Throws `BackendUnavailable`, `BackendTimeout`, `BackendDenied`, and
 * `StoreUnwritable` when no KV v2 is mounted.
 */
export interface KvRecords {
  read(operation: Operation, name: string): Promise<KvItem>
  /** Names below the prefix, those of folders with a `/` at the end. */
  list(operation: Operation): Promise<readonly string[]>
  /**
   * Writes if the version is still `cas`; the new version, or `undefined` when another write came first. `encode` is given
   * what tells this write from every other.
   */
  write(
    operation: Operation,
    name: string,
    encode: (write: string) => Readonly<Record<string, unknown>>,
    cas: number,
  ): Promise<number | undefined>
}

export interface KvRecordsOptions {
  readonly mount: string
  readonly prefix: string
  readonly random: Random
  readonly onWarning: (message: string) => void
}

export function createKvRecords(client: VaultClient, options: KvRecordsOptions): KvRecords {
  const { place } = client
  const { mount, prefix, random, onWarning } = options
  let warned = false

  /** A mount, or the operator, may set a time after which KV deletes what was written. */
  function checkEnd(deletionTime: unknown): void {
    if (warned || typeof deletionTime !== 'string' || deletionTime === '') return
    warned = true
    onWarning(
      `KV deletes what is written in ${mount}/ at ${place} after a time (delete_version_after): records of keys will vanish. Set it to 0s.`,
    )
  }

  async function read(operation: Operation, name: string): Promise<KvItem> {
    const reply = await client.request(operation, {
      request: 'kv-read',
      method: 'GET',
      path: [mount, 'data', prefix, name],
    })
    const { data, metadata } = dataOf(reply)
    const { version, created_time: createdAt } = asObject(metadata) ?? {}
    // A deleted version answers 404 and still says which one it is.
    if (typeof version === 'number' && (reply.status === 200 || reply.status === 404)) {
      const ageMs = Math.max(0, (reply.date ?? 0) - Date.parse(String(createdAt)))
      const found = asObject(data)
      return { version, ageMs, ...(found === undefined ? {} : { data: found }) }
    }
    if (isAbsent(reply)) return { version: 0, ageMs: 0 }
    throw unexpected(place, `read a record in ${mount}/`, reply)
  }

  return {
    read,

    async list(operation) {
      const reply = await client.request(operation, {
        request: 'kv-list',
        method: 'LIST',
        path: [mount, 'metadata', prefix],
      })
      if (isAbsent(reply)) return []
      const { keys } = dataOf(reply)
      if (reply.status !== 200 || !Array.isArray(keys)) {
        throw unexpected(place, `list the records in ${mount}/`, reply)
      }
      return keys.filter((each) => typeof each === 'string')
    },

    async write(operation, name, encode, cas) {
      const write = random(8).toString('hex')
      const body = { data: encode(write), options: { cas } }
      const path = [mount, 'data', prefix, name]
      const reply = await client.request(operation, { request: 'kv-write', method: 'POST', path, body })
      const { version, deletion_time: deletionTime } = dataOf(reply)
      if (reply.status === 200 && typeof version === 'number') {
        checkEnd(deletionTime)
        return version
      }
      if (!isCasMismatch(reply)) throw unexpected(place, `write a record in ${mount}/`, reply)
      // An attempt whose answer was lost may have written it.
      const found = await read(operation, name)
      return found.data?.['write'] === write ? found.version : undefined
    },
  }
}

function isCasMismatch({ status, errors }: VaultReply): boolean {
  return status === 400 && errors.some((error) => error.includes('check-and-set parameter did not match'))
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}
