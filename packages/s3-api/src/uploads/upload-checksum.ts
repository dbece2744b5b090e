import { Buffer } from 'node:buffer'
import { type Checksum, type ChecksumAlgorithm, createChecksum } from '@kms/sigv4'
import type { PartInfo, TextMap } from '@kms/sse'
import { requireAlgorithm } from '../objects/copy-object.ts'
import { checksumAlgorithmOf } from '../request/digests.ts'
import { s3Error } from '../s3-error.ts'
import { combineCrcs } from './crc-combine.ts'

/** How the parts of an upload make up its checksum (Amazon S3 User Guide, "Checking object integrity"). */
export type ChecksumType = 'COMPOSITE' | 'FULL_OBJECT'

export interface UploadChecksum {
  readonly algorithm: ChecksumAlgorithm
  readonly type: ChecksumType
}

/** Kept among the headers of an upload, and of the object it becomes; never sent. */
const KEPT_AS = ':checksum'

/** What CreateMultipartUpload asks for. Throws `InvalidRequest` for what S3 does not know, or does not combine. */
export function readUploadChecksum(header: (name: string) => string | undefined): UploadChecksum | undefined {
  const name = header('x-amz-checksum-algorithm')
  const wanted = header('x-amz-checksum-type')?.toUpperCase()
  if (name === undefined) {
    if (wanted === undefined) return undefined
    throw s3Error(
      'InvalidRequest',
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    )
  }
  const algorithm = requireAlgorithm(name)
  const type = wanted ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE')
  const isSha = algorithm.startsWith('SHA')
  if (type !== 'COMPOSITE' && type !== 'FULL_OBJECT') {
    throw s3Error('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.')
  }
  if ((type === 'COMPOSITE' && algorithm === 'CRC64NVME') || (type === 'FULL_OBJECT' && isSha)) {
    throw s3Error(
      'InvalidRequest',
      `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    )
  }
  return { algorithm, type }
}

export function keepUploadChecksum(content: TextMap, checksum: UploadChecksum | undefined): TextMap {
  return checksum === undefined ? content : new Map([...content, [KEPT_AS, `${checksum.algorithm} ${checksum.type}`]])
}

export function keptUploadChecksum({ headers }: { readonly headers: TextMap }): UploadChecksum | undefined {
  const [name = '', type] = headers.get(KEPT_AS)?.split(' ') ?? []
  const algorithm = checksumAlgorithmOf(name)
  return algorithm === undefined ? undefined : { algorithm, type: type as ChecksumType }
}

/** The checksum of the whole, from those of its parts; `undefined` when a part has none. */
export function combineChecksums(
  { algorithm, type }: UploadChecksum,
  parts: readonly PartInfo[],
): Checksum | undefined {
  const values = parts.map(({ checksums, size }) => ({ value: checksums.get(algorithm) ?? '', size }))
  if (values.some(({ value }) => value === '')) return undefined
  if (type === 'FULL_OBJECT') {
    const value = combineCrcs(algorithm, values)
    return value === undefined ? undefined : { algorithm, value }
  }
  const checksum = createChecksum(algorithm)
  for (const { value } of values) checksum.update(Buffer.from(value, 'base64'))
  return { algorithm, value: `${checksum.digest().value}-${parts.length}` }
}
