import { Buffer, isUtf8 } from 'node:buffer'
import { type EncryptionContext, isKmsError, kmsError, parseEncryptionContext } from '@kms/core'
import { decodeBase64, parseStrictJson } from '@kms/core/internal'
import { SSE_CONTEXT } from './header-names.ts'

/** What the object's own pairs (`aws:s3:arn`, `kms:sse`) leave of core's 64 pairs. */
const MAX_PAIRS = 62
/** And of its 8 KiB: they take at most 1.4 KiB, with a key of 1024 bytes. */
const MAX_BYTES = 6144
/** Beyond this nothing is decoded: more than MAX_BYTES can take in JSON with every character escaped. */
const MAX_HEADER = 65_536

/**
 * The client's pairs in `x-amz-server-side-encryption-context`: canonical base64 of a JSON object of strings (S3 API reference,
 * PutObject). Absent is the same as empty. Throws `ValidationError` for anything else, for names that stand twice, empty
 * or reserved (`aws:`, `kms:`), and beyond 62 pairs or 6144 bytes.
 */
export function parseContextHeader(value: string | undefined): EncryptionContext {
  if (value === undefined) return new Map()
  if (value.length > MAX_HEADER) throw invalid('is too long')
  const bytes = decodeBase64(value)
  if (bytes === undefined || !isUtf8(bytes)) throw invalid('must be JSON in UTF-8, in base64 with padding')
  const parsed = parseStrictJson(bytes.toString('utf8'), 1)
  if (!parsed.ok) throw invalid('must be a JSON object of strings, each name once')
  if (parsed.value === null) throw invalid('must be a JSON object of strings')
  let context: EncryptionContext
  try {
    context = parseEncryptionContext(parsed.value)
  } catch (error) {
    if (!isKmsError(error, 'ValidationError')) throw error
    throw invalid(error.message.replace(/^encryption_context: /, ''))
  }
  let size = 0
  for (const [name, text] of context) size += Buffer.byteLength(name) + Buffer.byteLength(text)
  if (context.size > MAX_PAIRS || size > MAX_BYTES) {
    throw invalid(`may hold at most ${MAX_PAIRS} pairs and ${MAX_BYTES} bytes of names and values`)
  }
  return context
}

function invalid(reason: string): Error {
  return kmsError('ValidationError', { path: SSE_CONTEXT, reason })
}
