import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type ChecksumAlgorithm,
  checksumBytes,
  checksumHeader,
  checksumOfHeader,
  createChecksum,
  isChecksumValue,
} from './checksum.ts'

const algorithms = Object.keys(checksumBytes) as ChecksumAlgorithm[]

function hexOf(algorithm: ChecksumAlgorithm, ...pieces: readonly Uint8Array[]): string {
  const checksum = createChecksum(algorithm)
  for (const piece of pieces) checksum.update(piece)
  return Buffer.from(checksum.digest().value, 'base64').toString('hex')
}

const digits = Buffer.from('123456789')
const counting = Buffer.from(Array.from({ length: 4096 }, (_, index) => index & 0xff))
const readPdu = Buffer.concat([
  Buffer.from('01c00000', 'hex'),
  Buffer.alloc(12),
  Buffer.from('1400000000000400000000140000001828000000000000000200000000000000', 'hex'),
])

// "check": Catalogue of parametrised CRC algorithms (reveng.sourceforge.io). "RFC 3720": appendix B.4, whose bytes are
// little-endian. "NVMe": NVM Express NVM Command Set Specification 1.0, "64b CRC test cases". "FIPS 180": its examples.
test.each<readonly [ChecksumAlgorithm, string, Uint8Array, string]>([
  ['CRC32', 'check', digits, 'cbf43926'],
  ['CRC32', 'nothing', Buffer.alloc(0), '00000000'],
  ['CRC32C', 'check', digits, 'e3069283'],
  ['CRC32C', 'nothing', Buffer.alloc(0), '00000000'],
  ['CRC32C', 'RFC 3720, zeros', Buffer.alloc(32), '8a9136aa'],
  ['CRC32C', 'RFC 3720, ones', Buffer.alloc(32, 0xff), '62a8ab43'],
  ['CRC32C', 'RFC 3720, incrementing', counting.subarray(0, 32), '46dd794e'],
  ['CRC32C', 'RFC 3720, decrementing', counting.subarray(0, 32).toReversed(), '113fdb5c'],
  ['CRC32C', 'RFC 3720, an iSCSI read PDU', readPdu, 'd9963a56'],
  ['CRC64NVME', 'check', digits, 'ae8b14860a799888'],
  ['CRC64NVME', 'nothing', Buffer.alloc(0), '0000000000000000'],
  ['CRC64NVME', 'NVMe, zeros', Buffer.alloc(4096), '6482d367eb22b64e'],
  ['CRC64NVME', 'NVMe, ones', Buffer.alloc(4096, 0xff), 'c0ddba7302eca3ac'],
  ['CRC64NVME', 'NVMe, incrementing', counting, '3e729f5f6750449c'],
  ['CRC64NVME', 'NVMe, decrementing', counting.toReversed(), '9a2df64b8e9e517e'],
  ['SHA1', 'FIPS 180', Buffer.from('abc'), 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['SHA256', 'FIPS 180', Buffer.from('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
])('%s of %s', (algorithm, _, bytes, expected) => {
  expect(hexOf(algorithm, bytes)).toBe(expected)
  expect(hexOf(algorithm, ...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toBe(expected)
})

test.each(algorithms)('%s does not depend on how the bytes are cut, or on where they lie in memory', (algorithm) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(7), (bytes, cut, offset) => {
      const moved = new Uint8Array(bytes.length + offset).subarray(offset)
      moved.set(bytes)
      expect(hexOf(algorithm, moved.subarray(0, cut), moved.subarray(cut))).toBe(hexOf(algorithm, bytes))
    }),
  )
})

test.each(algorithms)('%s: header, and what counts as a value', (algorithm) => {
  expect(checksumOfHeader(checksumHeader(algorithm))).toBe(algorithm)
  const { value } = createChecksum(algorithm).digest()
  expect(isChecksumValue(algorithm, value)).toBe(true)
  for (const other of ['', value.slice(1), `${value}=`, value.replaceAll('=', ''), `A${value}`, ` ${value}`]) {
    if (other !== value) expect(isChecksumValue(algorithm, other)).toBe(false)
  }
})

test.each(['constructor', '__proto__', 'x-amz-checksum-md5', 'x-amz-checksum-CRC32', ''])(
  '%j is no checksum',
  (name) => {
    expect(checksumOfHeader(name)).toBeUndefined()
  },
)
