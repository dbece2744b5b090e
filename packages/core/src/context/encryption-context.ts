import { Buffer } from 'node:buffer'
import { u32 } from '../bytes/framing.ts'
import { kmsError } from '../errors/kms-error.ts'

/** Authenticated with a wrap, never secret. A Map, because a plain object would lose `__proto__`. */
export type EncryptionContext = ReadonlyMap<string, string>

const MAX_PAIRS = 64
const MAX_BYTES = 8192
const EMPTY: EncryptionContext = new Map()
const EMPTY_CANONICAL = u32(0)

/**
 * Reads the `encryption_context` of a request: an object of strings; absent (or `null`) is the same as empty.
 * Throws `ValidationError` for anything else, for empty or reserved keys (`aws:`, `kms:`), for lone surrogates,
 * and above 64 pairs or 8 KiB of UTF-8.
 */
export function parseEncryptionContext(input: unknown): EncryptionContext {
  if (input === undefined || input === null) return EMPTY
  if (typeof input !== 'object' || Array.isArray(input)) throw invalid('must be an object of strings')
  const pairs = Object.entries(input)
  if (pairs.length === 0) return EMPTY
  const context = new Map<string, string>()
  for (const [key, value] of pairs) {
    if (typeof value !== 'string') throw invalid('every value must be a string')
    if (key.startsWith('aws:') || key.startsWith('kms:')) {
      throw invalid('keys beginning with "aws:" or "kms:" are reserved')
    }
    context.set(key, value)
  }
  sizeOf(context)
  return context
}

/**
 * The bytes that are authenticated: u32 pair count ‖ per pair, ascending by the key's UTF-8 bytes, lp(key) ‖ lp(value).
 * UTF-8 order is not the order of JavaScript strings: U+FFFF sorts before U+10000.
 * Throws `ValidationError` when the limits of {@link parseEncryptionContext} are exceeded.
 */
export function canonicalContext(context: EncryptionContext): Buffer {
  if (context.size === 0) return EMPTY_CANONICAL
  const bytes = Buffer.allocUnsafe(4 + 8 * context.size + sizeOf(context))
  let end = bytes.writeUInt32BE(context.size)
  for (const [key, value] of context.size === 1 ? context : sorted(context)) {
    end = writeFramed(bytes, key, end)
    end = writeFramed(bytes, value, end)
  }
  return bytes
}

/** Bytes of all keys and values. Throws `ValidationError` when the limits are exceeded. */
function sizeOf(context: EncryptionContext): number {
  if (context.size > MAX_PAIRS) throw invalid(`at most ${MAX_PAIRS} pairs are allowed`)
  let size = 0
  for (const [key, value] of context) {
    if (key === '') throw invalid('empty keys are not allowed')
    if (!key.isWellFormed() || !value.isWellFormed()) throw invalid('keys and values must be well-formed Unicode')
    size += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (size > MAX_BYTES) throw invalid(`keys and values together may have at most ${MAX_BYTES} bytes`)
  return size
}

function sorted(context: EncryptionContext): readonly (readonly [string, string])[] {
  return [...context]
    .map(([key, value]) => ({ order: Buffer.from(key), pair: [key, value] as const }))
    .sort((a, b) => Buffer.compare(a.order, b.order))
    .map(({ pair }) => pair)
}

/** Writes `lp(text)` at `start`; returns where it ends. */
function writeFramed(bytes: Buffer, text: string, start: number): number {
  const length = bytes.write(text, start + 4)
  bytes.writeUInt32BE(length, start)
  return start + 4 + length
}

function invalid(reason: string): Error {
  return kmsError('ValidationError', { path: 'encryption_context', reason })
}
