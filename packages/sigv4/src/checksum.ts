import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { crc32c } from './crc32c.ts'
import { type Crc64, crc64nvme } from './crc64nvme.ts'

/** The checksums S3 knows (Amazon S3 User Guide, "Checking object integrity"), spelled as it does, and their sizes in bytes. */
export const checksumBytes = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 } as const

export type ChecksumAlgorithm = keyof typeof checksumBytes

/** A checksum as S3 writes it: base64 of the big-endian bytes. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  readonly value: string
}

/** A checksum under way. */
export interface RunningChecksum {
  readonly update: (bytes: Uint8Array) => void
  /** The checksum of all bytes so far; call it once, at the end. */
  readonly digest: () => Checksum
}

/** Starts a checksum of a body that arrives in pieces; how it is cut does not matter. */
export function createChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  const { update, digest } = starters[algorithm]()
  return { update, digest: () => ({ algorithm, value: digest().toString('base64') }) }
}

/** The header that carries it, as a header or as a trailer: `x-amz-checksum-crc32c`. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`
}

/** The algorithm whose header this is, in lower case; `undefined` for any other header. */
export function checksumOfHeader(name: string): ChecksumAlgorithm | undefined {
  return byHeader.get(name)
}

/** Whether `value` is canonical base64 of as many bytes as the checksum has. */
export function isChecksumValue(algorithm: ChecksumAlgorithm, value: string): boolean {
  const bytes = Buffer.from(value, 'base64')
  return bytes.length === checksumBytes[algorithm] && bytes.toString('base64') === value
}

const algorithms = Object.keys(checksumBytes) as readonly ChecksumAlgorithm[]
const byHeader: ReadonlyMap<string, ChecksumAlgorithm> = new Map(
  algorithms.map((algorithm) => [checksumHeader(algorithm), algorithm]),
)

type Starter = () => { readonly update: (bytes: Uint8Array) => void; readonly digest: () => Buffer }

const starters: Readonly<Record<ChecksumAlgorithm, Starter>> = {
  CRC32: () => startCrc32(crc32),
  CRC32C: () => startCrc32(crc32c),
  CRC64NVME: () => {
    let crc: Crc64 | undefined
    return {
      update: (bytes) => {
        crc = crc64nvme(bytes, crc)
      },
      digest: () => {
        const result = Buffer.alloc(8)
        result.writeUInt32BE(crc?.high ?? 0, 0)
        result.writeUInt32BE(crc?.low ?? 0, 4)
        return result
      },
    }
  },
  SHA1: () => startHash(createHash('sha1')),
  SHA256: () => startHash(createHash('sha256')),
}

function startCrc32(next: (bytes: Uint8Array, previous: number) => number): ReturnType<Starter> {
  let crc = 0
  return {
    update: (bytes) => {
      crc = next(bytes, crc)
    },
    digest: () => {
      const result = Buffer.alloc(4)
      result.writeUInt32BE(crc)
      return result
    },
  }
}

function startHash(hash: Hash): ReturnType<Starter> {
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => hash.digest(),
  }
}
