import { type ChecksumAlgorithm, checksumBytes, checksumHeader, checksumOfHeader } from './checksum.ts'
import { type HeaderTable, singleHeader } from './header-table.ts'
import type { ChunkedForm, ChunkedPayload } from './payload.ts'
import { SigV4Error } from './sigv4-error.ts'

/** The content coding of chunked bodies. */
export const CHUNKED_CODING = 'aws-chunked'

interface FormTraits {
  readonly form: ChunkedForm
  readonly signed: boolean
  readonly trailer: boolean
}

const forms: readonly FormTraits[] = [
  { form: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', signed: true, trailer: false },
  { form: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', signed: true, trailer: true },
  { form: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', signed: false, trailer: true },
]

// At most 15 digits: a safe integer.
const byteCount = /^[0-9]{1,15}$/

/**
 * Reads what the headers of a request to S3 announce about a chunked body; `undefined` when it is not chunked. Without
 * `Content-Encoding: aws-chunked` as well: S3 does not insist on it. Throws {@link SigV4Error}: `MissingContentLength`
 * without `x-amz-decoded-content-length`, `InvalidArgument` when that is no number, `MalformedTrailerError` where the form
 * has a trailer and `x-amz-trailer` is missing or the other way round, `InvalidRequest` for a trailer that is no checksum
 * and for a checksum in both places.
 */
export function readChunkedPayload(declared: string, headers: HeaderTable): ChunkedPayload | undefined {
  const traits = forms.find(({ form }) => form === declared)
  const announced = singleHeader(headers, 'x-amz-trailer')
  if ((traits?.trailer ?? false) !== (announced !== undefined)) throw malformedTrailer()
  if (traits === undefined) return undefined
  const length = singleHeader(headers, 'x-amz-decoded-content-length')
  if (length === undefined) {
    throw new SigV4Error('MissingContentLength', 'Send the size of the object in x-amz-decoded-content-length.')
  }
  if (!byteCount.test(length)) {
    throw new SigV4Error('InvalidArgument', 'x-amz-decoded-content-length must be a number of bytes.')
  }
  return {
    kind: 'chunked',
    form: traits.form,
    signed: traits.signed,
    trailer: announced === undefined ? undefined : readTrailerName(announced, headers),
    decodedLength: Number(length),
    contentEncoding: withoutChunkedCoding(headers.values.get('content-encoding')),
  }
}

/** One message for every way a trailer can be wrong, as in S3. */
export function malformedTrailer(): SigV4Error {
  return new SigV4Error(
    'MalformedTrailerError',
    'The request contained trailing data that was not well-formed or did not conform to our published schema.',
  )
}

function readTrailerName(announced: string, headers: HeaderTable): ChecksumAlgorithm {
  const algorithm = checksumOfHeader(announced.toLowerCase())
  if (algorithm === undefined) {
    throw new SigV4Error('InvalidRequest', 'The value specified in the x-amz-trailer header is not supported.')
  }
  for (const other of Object.keys(checksumBytes) as readonly ChecksumAlgorithm[]) {
    if (headers.values.has(checksumHeader(other))) {
      throw new SigV4Error('InvalidRequest', 'Expecting a single x-amz-checksum- header.')
    }
  }
  return algorithm
}

function withoutChunkedCoding(contentEncoding: string | undefined): string | undefined {
  const codings = contentEncoding?.split(',').filter((coding) => coding.trim().toLowerCase() !== CHUNKED_CODING)
  return codings?.join(',').trim() || undefined
}
