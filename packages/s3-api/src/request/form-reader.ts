import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { s3Error } from '../s3-error.ts'

/** A form whose file is still to be read. */
export interface UploadForm {
  /** Those before the file, as sent; a name that comes twice is refused. */
  readonly fields: ReadonlyMap<string, string>
  readonly fileName: string
  /** The file; to be read to its end, or the form to be closed. */
  readonly file: AsyncIterable<Uint8Array>
  /** Ends reading; idempotent. */
  close(): Promise<void>
}

/** All fields together (Amazon S3 API reference, POST Object: "the form data can't exceed 20 KB"). */
const LARGEST_FIELDS_BYTES = 20_480
const MOST_FIELDS = 200

/**
 * Reads a `multipart/form-data` body up to the file, which comes last: what follows it is ignored. Throws `MalformedPOSTRequest`, `EntityTooLarge` for fields
 * beyond their limit, `InvalidArgument` for a form without a file, and what `body` throws.
 */
export async function readUploadForm(contentType: string, body: AsyncGenerator<Uint8Array, void>): Promise<UploadForm> {
  const parser = createParser(contentType)
  const fields = new Map<string, string>()
  let bytes = 0
  let problem: Error | undefined
  let found = (_: { readonly stream: Readable; readonly fileName: string } | undefined): void => {}
  const fileBegins = new Promise<{ readonly stream: Readable; readonly fileName: string } | undefined>((resolve) => {
    found = resolve
  })
  const fail = (error: Error): void => {
    problem ??= error
    found(undefined)
  }
  parser.on('field', (name, value, nameTruncated, valueTruncated) => {
    bytes += name.length + value.length
    if (nameTruncated || valueTruncated || bytes > LARGEST_FIELDS_BYTES) fail(s3Error('MaxMessageLengthExceeded'))
    else if (fields.has(name)) fail(malformed())
    else fields.set(name, value)
  })
  parser.on('file', (name, stream, fileName) => {
    if (name.toLowerCase() !== 'file') {
      stream.resume()
      fail(malformed())
    } else found({ stream, fileName: fileName ?? '' })
  })
  parser.on('error', (error) => fail(malformed(error)))
  parser.on('finish', () => found(undefined))

  let fileError: unknown
  let stop = false
  async function pump(): Promise<void> {
    try {
      for await (const chunk of body) {
        if (stop || problem !== undefined) return
        if (!parser.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) {
          await Promise.race([once(parser, 'drain'), once(parser, 'close')])
        }
      }
      parser.end()
    } catch (error) {
      fileError = error
      found(undefined)
      parser.destroy()
    }
  }
  const pumping = pump()
  const file = await fileBegins
  if (file === undefined) {
    stop = true
    await pumping
    throw fileError ?? problem ?? s3Error('InvalidArgument', 'POST requires exactly one file upload per request.')
  }
  return {
    fields: new Map(fields),
    fileName: file.fileName,
    file: readFile(file.stream, () => fileError ?? problem),
    async close() {
      stop = true
      file.stream.resume()
      parser.destroy()
      await body.return()
    },
  }
}

async function* readFile(stream: Readable, problem: () => unknown): AsyncGenerator<Uint8Array, void> {
  try {
    yield* stream as AsyncIterable<Uint8Array>
  } catch (error) {
    throw problem() ?? malformed(error)
  }
  const failed = problem()
  if (failed !== undefined) throw failed
}

function createParser(contentType: string): BusboyInstance {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: { fields: MOST_FIELDS, fieldSize: LARGEST_FIELDS_BYTES, files: 1, parts: MOST_FIELDS + 1 },
    })
  } catch (error) {
    throw malformed(error)
  }
}

function malformed(cause?: unknown): Error {
  return s3Error('MalformedPOSTRequest', { cause })
}
