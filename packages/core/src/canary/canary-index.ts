import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type FileHandle, readdir, readFile, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Realm } from '../envelope/envelope.ts'
import { TEMPORARY_PREFIX, writeDurably } from '../state/durable-file.ts'
import { type CanaryTable, createCanaryTable, RECORD_BYTES } from './canary-table.ts'

/** The table of the beginning of a log. */
export interface CanaryIndex {
  readonly table: CanaryTable
  /** Bytes of the log that it covers: whole lines. */
  readonly covered: number
}

const MAGIC = Buffer.from('KMSC\x01', 'latin1')
const DIGEST_BYTES = 32
const HEAD_BYTES = MAGIC.length + 16 + 6 + DIGEST_BYTES
/** The last bytes that are covered, which no other log has there: they end in what was random. */
const PROVEN_BYTES = 256

/**
 * Reads the index of a log, which is `size` bytes long. It is derived from the log and no more than a shortcut: whatever is
 * wrong with it, or does not fit this very log, makes it `undefined`.
 */
export async function readCanaryIndex(
  path: string,
  realm: Realm,
  log: FileHandle,
  size: number,
): Promise<CanaryIndex | undefined> {
  const bytes = await readFile(path).catch(() => undefined)
  if (bytes === undefined || bytes.length < HEAD_BYTES + DIGEST_BYTES) return undefined
  const content = bytes.subarray(0, -DIGEST_BYTES)
  const isWhole =
    digestOf(content).equals(bytes.subarray(-DIGEST_BYTES)) &&
    content.subarray(0, MAGIC.length).equals(MAGIC) &&
    content.toString('hex', MAGIC.length, MAGIC.length + 16) === realm &&
    (content.length - HEAD_BYTES) % RECORD_BYTES === 0
  if (!isWhole) return undefined
  const covered = content.readUIntBE(MAGIC.length + 16, 6)
  const proof = content.subarray(HEAD_BYTES - DIGEST_BYTES, HEAD_BYTES)
  if (covered > size || !(await proofOf(log, covered)).equals(proof)) return undefined
  return { table: createCanaryTable(content.subarray(HEAD_BYTES)), covered }
}

/** Writes the index of a log. Rejects with the error of a system call. */
export async function writeCanaryIndex(
  path: string,
  realm: Realm,
  log: FileHandle,
  { table, covered }: CanaryIndex,
): Promise<void> {
  const place = Buffer.alloc(6)
  place.writeUIntBE(covered, 0, 6)
  const head = [MAGIC, Buffer.from(realm, 'hex'), place, await proofOf(log, covered)]
  const content = Buffer.concat([...head, table.bytes])
  await removeAbandoned(path)
  await writeDurably(path, Buffer.concat([content, digestOf(content)]), { mode: 0o600 })
}

/** What a crash left of an earlier attempt. */
async function removeAbandoned(path: string): Promise<void> {
  const beginning = `${TEMPORARY_PREFIX}${basename(path)}-`
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(beginning)) await unlink(join(dirname(path), name))
  }
}

async function proofOf(log: FileHandle, covered: number): Promise<Buffer> {
  const length = Math.min(PROVEN_BYTES, covered)
  const { buffer, bytesRead } = await log.read(Buffer.alloc(length), 0, length, covered - length)
  return digestOf(buffer.subarray(0, bytesRead))
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
