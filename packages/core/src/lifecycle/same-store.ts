import { isKmsError, kmsError } from '../errors/kms-error.ts'
import type { KeyRecord } from '../keys/key-backend.ts'
import type { OpenStore } from '../store/open-store.ts'

const ATTEMPTS = 3

/**
 * Tells the store that serves, reached under another name, from a copy of it: a record written again through `active`
 * must be seen through `candidate`. To swap to a copy while the other one is being written to would lose what was
 * wrapped in between. Throws `StoreCopied` for a copy, and when it cannot be told.
 */
export async function requireSameStore(active: OpenStore, candidate: OpenStore, place: string): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const record = await anyRecord(active)
    if (record === undefined) throw copied(candidate, place, 'it has no key by which it could be told apart')
    const before = await etagIn(candidate, record.keyId)
    let touched: KeyRecord
    try {
      touched = await active.call((backend) =>
        backend.update(record.keyId, { description: record.description }, record.etag),
      )
    } catch (error) {
      if (isKmsError(error, 'PreconditionFailed', 'KeyNotFound', 'KeyDestroyed')) continue
      if (!isKmsError(error)) throw error
      throw copied(candidate, place, `nothing can be written to tell them apart: ${error.message}`)
    }
    active.forget(record.keyId)
    const after = await etagIn(candidate, record.keyId)
    if (before === record.etag && after === touched.etag) return
    // Somebody else may have written in between; a copy stays behind every time.
  }
  throw copied(candidate, place, 'what is written to one does not show in the other')
}

/** Of adopted keys, too, the record is ours; one of our own is preferred all the same. */
async function anyRecord(store: OpenStore): Promise<KeyRecord | undefined> {
  const { keys } = await store.call((backend) => backend.list({ limit: 100 }))
  const writable = keys.filter(({ state }) => state === 'Enabled' || state === 'Disabled')
  return writable.find(({ adopted }) => adopted !== true) ?? writable[0]
}

async function etagIn(store: OpenStore, keyId: string): Promise<string | undefined> {
  try {
    return (await store.call((backend) => backend.describe(keyId))).etag
  } catch (error) {
    if (isKmsError(error, 'KeyNotFound', 'KeyDestroyed', 'KeyUnavailable')) return undefined
    throw error
  }
}

function copied({ realm }: OpenStore, place: string, reason: string): Error {
  return kmsError('StoreCopied', { place, realm, reason })
}
