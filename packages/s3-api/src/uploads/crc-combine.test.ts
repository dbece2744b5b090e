import { Buffer } from 'node:buffer'
import { createChecksum } from '@kms/sigv4'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { combineCrcs } from './crc-combine.ts'

it.each(['CRC32', 'CRC32C', 'CRC64NVME'] as const)('the %s of parts together is that of the whole', (algorithm) => {
  const crcOf = (bytes: Uint8Array): string => {
    const checksum = createChecksum(algorithm)
    checksum.update(bytes)
    return checksum.digest().value
  }
  const property = fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 6 }), (parts) => {
    const combined = combineCrcs(
      algorithm,
      parts.map((part) => ({ value: crcOf(part), size: part.length })),
    )
    expect(combined).toBe(crcOf(Buffer.concat(parts)))
  })
  fc.assert(property)
})

it('what is no CRC cannot be combined', () => {
  expect(combineCrcs('SHA256', [{ value: '', size: 1 }])).toBeUndefined()
})
