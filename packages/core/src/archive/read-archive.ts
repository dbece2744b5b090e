import { Buffer } from 'node:buffer'
import { createHash, type KeyObject } from 'node:crypto'
import { parseStrictJson } from '../bytes/strict-json.ts'
import { kmsError } from '../errors/kms-error.ts'
import { openFrames } from '../stream/frame-stream.ts'
import type { ArchiveEntry } from './archive-entry.ts'
import { decodeEnd, decodeEntry, END } from './entry-codec.ts'

/** No entry is larger: a record has at most some 64 KiB of text. */
const MAX_PART_BYTES = 4 * 1024 * 1024

/**
 * The entries of the frames of an archive. All of them are authentic and in order as they come; that they are all of them
 * shows when the last has come. Throws `ArchiveDamaged` for anything but what was sealed, from the first frame to the end.
 */
export async function* readArchive(
  frames: AsyncIterable<Uint8Array>,
  cipherKey: KeyObject,
): AsyncGenerator<ArchiveEntry, void, undefined> {
  const hash = createHash('sha256')
  const order = createOrder()
  let count = 0
  let ended = false
  for await (const { name, body, bytes } of cutEntries(openFrames(frames, { key: cipherKey, damaged: notWhole }))) {
    if (ended) throw damaged('something follows its end')
    if (name === END) {
      const end = decodeEnd(body)
      if (!order.isWhole || end?.entries !== count || end.sha256 !== hash.digest('hex'))
        throw damaged('its end does not fit the rest')
      ended = true
      continue
    }
    const entry = decodeEntry(name, body)
    if (entry === undefined || !order.accepts(entry)) throw damaged('it holds what no archive holds')
    hash.update(bytes)
    bytes.fill(0)
    count++
    yield entry
  }
  if (!ended) throw damaged('it has no end')
}

interface RawEntry {
  readonly name: string
  readonly body: unknown
  readonly bytes: Buffer
}

/** Cuts lp(name) ‖ lp(body) out of a stream of bytes. */
async function* cutEntries(source: AsyncIterable<Buffer>): AsyncGenerator<RawEntry, void, undefined> {
  let held = Buffer.alloc(0)
  for await (const chunk of source) {
    const before = held
    held = Buffer.concat([before, chunk])
    before.fill(0)
    chunk.fill(0)
    for (;;) {
      const nameEnd = endOfPart(held, 0)
      const end = nameEnd === undefined ? undefined : endOfPart(held, nameEnd)
      if (nameEnd === undefined || end === undefined) break
      const bytes = Buffer.from(held.subarray(0, end))
      const body = parseStrictJson(bytes.toString('utf8', nameEnd + 4))
      if (!body.ok) throw damaged('it holds what no archive holds')
      held.fill(0, 0, end)
      held = held.subarray(end)
      yield { name: bytes.toString('utf8', 4, nameEnd), body: body.value, bytes }
    }
  }
  if (held.length > 0) throw damaged('it ends in the middle of an entry')
}

/** Where the part that begins at `start` ends; `undefined` while it has not all come. */
function endOfPart(bytes: Buffer, start: number): number | undefined {
  if (bytes.length < start + 4) return undefined
  const length = bytes.readUInt32BE(start)
  if (length > MAX_PART_BYTES) throw damaged('it holds what no archive holds')
  const end = start + 4 + length
  return bytes.length < end ? undefined : end
}

/** Entries come with ids ascending, and behind each key its versions, every one, ascending. */
function createOrder(): { accepts(entry: ArchiveEntry): boolean; readonly isWhole: boolean } {
  let last = ''
  let key: { readonly id: string; next: number; readonly current: number } | undefined
  const isWhole = (): boolean => key === undefined || key.next > key.current
  return {
    accepts(entry) {
      if (entry.kind === 'version' || entry.kind === 'gap') {
        return key?.id === entry.keyId && key.next <= key.current && entry.version === key.next++
      }
      const name = entry.kind === 'key' ? entry.record.keyId : entry.kind === 'ruin' ? entry.name : entry.keyId
      if (name <= last || !isWhole()) return false
      last = name
      const { oldestVersion: next, currentVersion: current } = entry.kind === 'key' ? entry.record : NOTHING
      key = { id: name, next, current }
      return true
    },
    get isWhole() {
      return isWhole()
    },
  }
}

/** Of an entry no versions follow. */
const NOTHING = { oldestVersion: 1, currentVersion: 0 } as const

function notWhole(): Error {
  return damaged('it is cut short, or was changed')
}

function damaged(reason: string): Error {
  return kmsError('ArchiveDamaged', { reason })
}
