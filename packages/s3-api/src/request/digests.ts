import { Buffer } from 'node:buffer'
import { type Checksum, type ChecksumAlgorithm, checksumBytes, checksumHeader } from '@kms/sigv4'
import { s3Error } from '../s3-error.ts'

export const checksumAlgorithms: readonly ChecksumAlgorithm[] = Object.keys(checksumBytes) as ChecksumAlgorithm[]

/** What a request says of its body beside the signature. */
export interface DeclaredDigests {
  /** 16 bytes. */
  readonly contentMd5: Buffer | undefined
  /** In a header; one in the trailer is the chunk decoder's. */
  readonly checksum: Checksum | undefined
}

type Lookup = (name: string) => string | undefined

/**
 * Throws `InvalidDigest` for a Content-MD5 that is none, `InvalidRequest` for a checksum that is none, for several of them, and for an announced
 * algorithm whose value is nowhere (Amazon S3 User Guide, "Checking object integrity").
 */
export function readDigests(header: Lookup): DeclaredDigests {
  return { contentMd5: readContentMd5(header), checksum: readChecksum(header) }
}

function readContentMd5(header: Lookup): Buffer | undefined {
  const value = header('content-md5')
  if (value === undefined) return undefined
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length === 16 && bytes.toString('base64') === value) return bytes
  throw s3Error('InvalidDigest', { details: { 'Content-MD5': value.slice(0, 64) } })
}

function readChecksum(header: Lookup): Checksum | undefined {
  const found = checksumAlgorithms.flatMap((algorithm) => {
    const value = header(checksumHeader(algorithm))
    return value === undefined ? [] : [{ algorithm, value }]
  })
  const [checksum, another] = found
  if (another !== undefined) {
    throw s3Error(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    )
  }
  if (checksum === undefined) {
    if (header('x-amz-sdk-checksum-algorithm') !== undefined && header('x-amz-trailer') === undefined) {
      throw s3Error(
        'InvalidRequest',
        'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
      )
    }
    return undefined
  }
  requireChecksumValue(checksum)
  return checksum
}

/** Throws `InvalidRequest` for what no checksum of the algorithm looks like. */
function requireChecksumValue({ algorithm, value }: Checksum): void {
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length === checksumBytes[algorithm] && bytes.toString('base64') === value) return
  throw s3Error('InvalidRequest', `Value for ${checksumHeader(algorithm)} header is invalid.`)
}

/** The algorithm of a name in any case; `undefined` for others. */
export function checksumAlgorithmOf(name: string): ChecksumAlgorithm | undefined {
  return checksumAlgorithms.find((algorithm) => algorithm === name.toUpperCase())
}
