import { Buffer } from 'node:buffer'
import { kmsError } from '../../errors/kms-error.ts'
import type { KeyPage, KeyRecord, KeyState } from '../../keys/key-backend.ts'
import type { OpenStore } from '../../store/open-store.ts'

export interface ListKeysInput {
  /** 0–1000. */
  readonly limit: number
  /** `next` of the page before; it stays good when the key it was made of is gone. */
  readonly marker?: string
  readonly state?: KeyState
}

export interface KeyListing {
  readonly keys: readonly KeyRecord[]
  /** Ids whose records cannot be read. */
  readonly unreadable: readonly string[]
  /** Opaque; absent on the last page. A page may be short, even empty, and have one. */
  readonly next?: string
}

/** Records looked at for one page: a filter that few keys pass must not make one request read a whole store. */
const MAX_EXAMINED = 10_000

/** Records asked for at once when there is a filter. */
const FILTERED_PAGE = 500

/** One page of at most `limit` keys and unreadable ids together. Throws `ValidationError` for a marker that is not ours. */
export async function listKeys(store: OpenStore, { limit, marker, state }: ListKeysInput): Promise<KeyListing> {
  const keys: KeyRecord[] = []
  const unreadable: string[] = []
  let after = marker === undefined ? undefined : decodeMarker(marker)
  let examined = 0
  while (keys.length + unreadable.length < limit && examined < MAX_EXAMINED) {
    const wanted = limit - keys.length - unreadable.length
    const size = state === undefined ? wanted : Math.max(wanted, FILTERED_PAGE)
    const from = after === undefined ? {} : { after }
    const page = await store.call((backend) => backend.list({ limit: size, ...from }))
    for (const { keyId, record } of inOrder(page)) {
      if (keys.length + unreadable.length === limit) return { keys, unreadable, next: encodeMarker(after as string) }
      after = keyId
      examined++
      const judged = record && store.judge(record)
      if (judged === undefined) unreadable.push(keyId)
      else if (state === undefined || judged.state === state) keys.push(judged)
    }
    if (page.next === undefined) return { keys, unreadable }
    after = page.next
  }
  return { keys, unreadable, ...(after === undefined ? {} : { next: encodeMarker(after) }) }
}

interface Entry {
  readonly keyId: string
  /** Absent: unreadable. */
  readonly record?: KeyRecord
}

/** The entries of a page, ascending by the id's bytes; ids are ASCII, so that is how they compare. */
function inOrder({ keys, unreadable }: KeyPage): readonly Entry[] {
  const entries: Entry[] = keys.map((record) => ({ keyId: record.keyId, record }))
  if (unreadable.length === 0) return entries
  for (const keyId of unreadable) entries.push({ keyId })
  return entries.sort((a, b) => (a.keyId < b.keyId ? -1 : 1))
}

function encodeMarker(keyId: string): string {
  return Buffer.from(keyId).toString('base64url')
}

/** What a backend may list: names, and stand-ins for those that cannot be read any more. */
const LISTED = /^[A-Za-z0-9._~-]{1,255}$/

function decodeMarker(marker: string): string {
  const keyId = Buffer.from(marker, 'base64url').toString()
  if (encodeMarker(keyId) !== marker || !LISTED.test(keyId)) {
    throw kmsError('ValidationError', { path: 'marker', reason: 'must be the next_marker of an earlier page' })
  }
  return keyId
}
