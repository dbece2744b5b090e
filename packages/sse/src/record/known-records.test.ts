import { Buffer } from 'node:buffer'
import { createServerKey, type ServerKeys, systemRandom } from '@kms/core'
import { expect, it } from 'vitest'
import { createMemoryKms } from '../../test/memory-kms.ts'
import { anyone, get, pattern, put } from '../../test/memory-store.ts'
import { createObjectCipher, type WriteEncryption } from '../index.ts'
import { createKnownRecords } from './known-records.ts'

const name = { bucket: 'b', key: 'k' }
const encryption: WriteEncryption = { mode: 'SSE-KMS', context: new Map(), bucketKey: false }

function setup() {
  const key = createServerKey(systemRandom(32))
  let opened = 0
  // Every decoding asks for the key that sealed the details.
  const serverKeys: ServerKeys = {
    current: {
      id: key.id,
      subkey(purpose) {
        opened += 1
        return key.subkey(purpose)
      },
    },
  }
  const kms = createMemoryKms('master')
  const cipher = createObjectCipher({ keys: kms, serverKeys })
  const counted = <T>(work: () => T): [T, number] => {
    const before = opened
    return [work(), opened - before]
  }
  return { serverKeys, kms, cipher, counted }
}

it('decodes the same bytes of the same object once, whosever memory they are in', async () => {
  const { cipher, serverKeys, counted } = setup()
  const { metadata } = (await put(cipher, name, encryption, [pattern(10, 'x')])).record
  const records = createKnownRecords(serverKeys)
  const [first, once] = counted(() => records.get(name, metadata))
  const other = Buffer.from(metadata)
  const [second, again] = counted(() => records.get({ ...name }, other))
  expect([once, again, second === first]).toEqual([1, 0, true])
  // What the store does with its memory is its own affair.
  metadata.fill(0)
  expect(records.get(name, other).metadata.size).toBe(10)
})

it('knows nothing of other bytes, other names, and names that only look alike', async () => {
  const { cipher, serverKeys } = setup()
  const records = createKnownRecords(serverKeys)
  const lookalike = { bucket: 'b', key: '\ufffd' }
  const { metadata } = (await put(cipher, lookalike, encryption, [])).record
  records.get(lookalike, metadata)
  expect(() => records.get({ bucket: 'b', key: '\ud800' }, metadata)).toThrow(RangeError)
  expect(() => records.get(name, metadata)).toThrow(expect.objectContaining({ code: 'ObjectDamaged' }))
  const changed = Buffer.from(metadata)
  changed[20] = (changed[20] as number) ^ 1
  expect(() => records.get(lookalike, changed)).toThrow(expect.objectContaining({ code: 'ObjectDamaged' }))
})

it('asks the KMS for the key of every read, and knows no record by another key', async () => {
  const { cipher, kms } = setup()
  const [one, two] = [
    await put(cipher, name, encryption, [pattern(10, 'one')]),
    await put(cipher, name, encryption, [pattern(10, 'two')]),
  ]
  for (let count = 0; count < 3; count++) {
    const before = kms.calls.unwrap
    expect(await get(cipher, name, one)).toEqual(pattern(10, 'one'))
    // `get` opens it twice.
    expect(kms.calls.unwrap - before).toBe(2)
    expect(await get(cipher, name, two)).toEqual(pattern(10, 'two'))
    const mixed = { ...one.record, keys: two.record.keys }
    await expect(cipher.openForRead({ name, record: mixed, authorize: anyone })).rejects.toMatchObject({
      code: 'ObjectDamaged',
    })
    const parts = Buffer.from(one.record.parts)
    parts[parts.length - 1] = (parts[parts.length - 1] as number) ^ 1
    const others = { ...one.record, parts }
    await expect(cipher.openForRead({ name, record: others, authorize: anyone })).rejects.toMatchObject({
      code: 'ObjectDamaged',
    })
  }
})

it('keeps a bounded number of them', async () => {
  const { cipher, serverKeys, counted } = setup()
  const { metadata } = (await put(cipher, name, encryption, [])).record
  const records = createKnownRecords(serverKeys)
  records.get(name, metadata)
  for (let count = 0; count < 5000; count++) {
    const other = { bucket: 'b', key: `k${count}` }
    records.get(other, (await put(cipher, other, encryption, [])).record.metadata)
  }
  expect(counted(() => records.get(name, metadata))[1]).toBe(1)
})
