import { Buffer } from 'node:buffer'
import { createHash, createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFrameOpener, createFrameSealer, FRAME_BYTES, SEALED_FRAME_BYTES } from './frame-cipher.ts'
import { frameCount, frameRange, plaintextSize, sealedSize } from './frame-size.ts'
import { openFrames, sealFrames } from './frame-stream.ts'
import { createSizedOpener, createSizedSealer, type SizedOpenerOptions } from './sized-stream.ts'
import { deriveStreamKeys } from './stream-keys.ts'

interface Vector {
  readonly name: string
  readonly key: string
  readonly salt: string
  readonly info: string
  readonly size: number
  readonly plaintext_sha256: string
  readonly commitment: string
  readonly sealed_size: number
  readonly sealed_sha256: string
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/streams.json', import.meta.url), 'utf8')) as Vector[]
const key = createSecretKey(Buffer.alloc(32, 1))

/** Sizes around every edge, and others. */
const sizes: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES, 3 * FRAME_BYTES - 1),
  fc.integer({ min: 0, max: 4 * FRAME_BYTES }),
)

function pattern(size: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: Math.max(size, 1) })
    .update(seed)
    .digest()
    .subarray(0, size)
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function join(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of source) parts.push(chunk)
  return Buffer.concat(parts)
}

function* chunks(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size)
}

const seal = (plaintext: Uint8Array): Promise<Buffer> => join(sealFrames([plaintext], key))

function open(
  source: Iterable<Uint8Array>,
  range: { firstFrame?: number; endsStream?: boolean } = {},
): Promise<Buffer> {
  return join(openFrames(source, { key, damaged: () => new Error('damaged'), ...range }))
}

describe('golden streams', () => {
  it.each(vectors)('$name is sealed byte for byte, and opens', async (vector) => {
    const plaintext = pattern(vector.size, `${vector.name} plaintext`)
    expect(sha256(plaintext)).toBe(vector.plaintext_sha256)
    const [secret, salt, info] = [vector.key, vector.salt, vector.info].map((hex) => Buffer.from(hex, 'hex'))
    const keys = deriveStreamKeys(secret as Buffer, salt as Buffer, info as Buffer)
    expect(keys.commitment.toString('hex')).toBe(vector.commitment)
    const sealed = await join(sealFrames([plaintext], keys.cipherKey))
    expect([sealed.length, sha256(sealed)]).toEqual([vector.sealed_size, vector.sealed_sha256])
    const opened = await join(openFrames([sealed], { key: keys.cipherKey, damaged: () => new Error('damaged') }))
    expect(opened.equals(plaintext)).toBe(true)
  })
})

describe('streams of frames', () => {
  it('open to what was sealed, however either side is cut', async () => {
    const cuts = fc.oneof(
      fc.constantFrom(1, 7, 4096, FRAME_BYTES, SEALED_FRAME_BYTES),
      fc.integer({ min: 1, max: 200_000 }),
    )
    await fc.assert(
      fc.asyncProperty(sizes, cuts, cuts, async (size, sealCut, openCut) => {
        const plaintext = pattern(size, 'p')
        const sealed = await join(sealFrames(chunks(plaintext, Math.max(sealCut, size >> 8)), key))
        expect(sealed.length).toBe(sealedSize(size))
        expect(sealed.equals(await seal(plaintext))).toBe(true)
        expect((await open(chunks(sealed, Math.max(openCut, size >> 8)))).equals(plaintext)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('open byte by byte', async () => {
    const plaintext = pattern(FRAME_BYTES + 3, 'p')
    const sealed = await join(sealFrames(chunks(plaintext, 1), key))
    expect((await open(chunks(sealed, 1))).equals(plaintext)).toBe(true)
  })

  it('open any range of whole frames', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes.filter((size) => size > 0),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        async (size, a, b) => {
          const [start, end] = [Math.floor(a * size), Math.floor(b * size)].sort((x, y) => x - y) as [number, number]
          const plaintext = pattern(size, 'p')
          const range = frameRange(start, end, size)
          const part = (await seal(plaintext)).subarray(range.sealedStart, range.sealedEnd)
          const opened = await open([part], range)
          expect(
            opened.subarray(range.skip, range.skip + end - start + 1).equals(plaintext.subarray(start, end + 1)),
          ).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
    for (const [start, end, size] of [
      [-1, 0, 1],
      [1, 0, 2],
      [0, 1, 1],
      [0, 0, 0],
      [Number.NaN, 1, 2],
    ] as const) {
      expect(() => frameRange(start, end, size)).toThrow(RangeError)
    }
  })

  it('are refused when a bit flips, before a byte of that frame is released', async () => {
    const plaintext = pattern(2 * FRAME_BYTES + 5, 'p')
    const sealed = await seal(plaintext)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: sealed.length * 8 - 1 }), async (bit) => {
        const changed = Buffer.from(sealed)
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
        const released: Buffer[] = []
        await expect(
          (async () => {
            for await (const frame of openFrames([changed], { key, damaged: () => new Error('damaged') }))
              released.push(frame)
          })(),
        ).rejects.toThrow('damaged')
        const whole = Math.floor((bit >> 3) / SEALED_FRAME_BYTES)
        expect(Buffer.concat(released).equals(plaintext.subarray(0, whole * FRAME_BYTES))).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('are refused when cut short, extended, or in another order', async () => {
    const sealed = await seal(pattern(3 * FRAME_BYTES, 'p'))
    const frames = [...chunks(sealed, SEALED_FRAME_BYTES)] as [Buffer, Buffer, Buffer]
    const [first, second, third] = frames
    for (const wrong of [
      [],
      [first],
      [first, second],
      [second, first, third],
      [first, first, second, third],
      [first, third],
      [second, third],
      [...frames, third],
      [sealed.subarray(0, -1)],
      [sealed, Buffer.alloc(1)],
      [sealed, Buffer.alloc(16)],
    ]) {
      await expect(open(wrong)).rejects.toThrow('damaged')
    }
    await expect(open([second, third], { firstFrame: 1 })).resolves.toHaveLength(2 * FRAME_BYTES)
    await expect(open([second], { firstFrame: 1 })).rejects.toThrow('damaged')
    await expect(open([second], { firstFrame: 1, endsStream: false })).resolves.toHaveLength(FRAME_BYTES)
    await expect(open([third], { firstFrame: 2, endsStream: false })).rejects.toThrow('damaged')
    await expect(open([], { firstFrame: 1, endsStream: false })).rejects.toThrow('damaged')
  })

  it('do not open as each other: another key is another stream', async () => {
    const sealed = await seal(pattern(10, 'p'))
    const other = createSecretKey(Buffer.alloc(32, 2))
    await expect(join(openFrames([sealed], { key: other, damaged: () => new Error('damaged') }))).rejects.toThrow(
      'damaged',
    )
  })
})

describe('streams of a known size', () => {
  const wrongSize = () => new Error('wrong size')
  const damaged = () => new Error('damaged')

  function sealSized(source: Iterable<Uint8Array>, size: number): Buffer {
    const sealer = createSizedSealer({ key, size, wrongSize })
    const out: Buffer[] = []
    for (const chunk of source) out.push(...sealer.push(chunk))
    return Buffer.concat([...out, ...sealer.end()])
  }

  function openSized(
    source: Iterable<Uint8Array>,
    length: number,
    more: Partial<SizedOpenerOptions> = {},
    out: Buffer[] = [],
  ): Buffer {
    const opener = createSizedOpener({ key, sealedSize: length, damaged, ...more })
    for (const chunk of source) for (const piece of opener.push(chunk)) out.push(piece)
    opener.end()
    return Buffer.concat(out)
  }

  it('are the same bytes as others, and open to them, however either side is cut', async () => {
    const cuts = fc.oneof(
      fc.constantFrom(1, 7, 4096, FRAME_BYTES, SEALED_FRAME_BYTES),
      fc.integer({ min: 1, max: 200_000 }),
    )
    await fc.assert(
      fc.asyncProperty(sizes, cuts, cuts, async (size, sealCut, openCut) => {
        const plaintext = pattern(size, 'p')
        const sealed = await seal(plaintext)
        expect(sealSized(chunks(plaintext, Math.max(sealCut, size >> 8)), size).equals(sealed)).toBe(true)
        const source = chunks(sealed, Math.max(openCut, size >> 8))
        expect(openSized(source, sealed.length).equals(plaintext)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('open any range of whole frames', async () => {
    const size = 4 * FRAME_BYTES + 5
    const plaintext = pattern(size, 'p')
    const sealed = await seal(plaintext)
    fc.assert(
      fc.property(fc.nat(size - 1), fc.nat(size - 1), fc.constantFrom(1000, 65_537, 1 << 20), (a, b, cut) => {
        const { sealedStart, sealedEnd, ...range } = frameRange(Math.min(a, b), Math.max(a, b), size)
        const source = chunks(sealed.subarray(sealedStart, sealedEnd), cut)
        const opened = openSized(source, sealedEnd - sealedStart, range)
        const first = range.firstFrame * FRAME_BYTES
        expect(opened.equals(plaintext.subarray(first, first + opened.length))).toBe(true)
        expect(first + opened.length).toBeGreaterThan(Math.max(a, b))
      }),
    )
  })

  it('are refused when they have another size', async () => {
    for (const size of [0, 1, FRAME_BYTES, FRAME_BYTES + 1]) {
      const plaintext = pattern(size, 'p')
      expect(() => sealSized([plaintext], size + 1)).toThrow('wrong size')
      expect(() => sealSized([plaintext, Buffer.alloc(1)], size)).toThrow('wrong size')
      const sealed = await seal(plaintext)
      expect(() => openSized([sealed.subarray(0, -1)], sealed.length)).toThrow('damaged')
      expect(() => openSized([sealed, Buffer.alloc(1)], sealed.length)).toThrow('damaged')
      for (const wrong of [0, 15, sealed.length - 1, sealed.length + 1, sealed.length + 16]) {
        expect(() => openSized([sealed], wrong)).toThrow('damaged')
      }
    }
  })

  it('are refused when a bit flips, before a byte of that frame is released', async () => {
    const plaintext = pattern(2 * FRAME_BYTES + 5, 'p')
    const sealed = await seal(plaintext)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: sealed.length * 8 - 1 }), fc.integer({ min: 500 }), (bit, cut) => {
        const changed = Buffer.from(sealed)
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
        const released: Buffer[] = []
        expect(() => openSized(chunks(changed, cut), sealed.length, {}, released)).toThrow('damaged')
        const whole = Math.floor((bit >> 3) / SEALED_FRAME_BYTES)
        expect(Buffer.concat(released).equals(plaintext.subarray(0, whole * FRAME_BYTES))).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('can be given up: what is held back is erased', async () => {
    const sealed = await seal(pattern(100, 'p'))
    const opener = createSizedOpener({ key, sealedSize: sealed.length, damaged })
    expect([...opener.push(sealed.subarray(0, 50))]).toEqual([])
    opener.discard()
    expect(() => opener.end()).toThrow('damaged')
  })
})

describe('the frame cipher', () => {
  it('refuses what is no frame', () => {
    const sealer = createFrameSealer(key)
    expect(() => sealer.seal(Buffer.alloc(FRAME_BYTES - 1), false)).toThrow(RangeError)
    expect(() => sealer.seal(Buffer.alloc(FRAME_BYTES + 1), true)).toThrow(RangeError)
    sealer.seal(Buffer.alloc(FRAME_BYTES), false)
    expect(() => sealer.seal(Buffer.alloc(0), true)).toThrow(RangeError)
    sealer.seal(Buffer.alloc(1), true)
    expect(() => sealer.seal(Buffer.alloc(1), true)).toThrow(/sealed already/)
    expect(createFrameOpener(key).open(Buffer.alloc(15), true)).toBeUndefined()
  })

  it('counts beyond 32 bits', () => {
    const opener = createFrameOpener(key, 2 ** 32)
    const sealed = Buffer.concat([...createFrameSealer(key).seal(Buffer.alloc(FRAME_BYTES, 3), false)])
    // Frame 2^32 is not frame 0: the counter does not wrap at 32 bits.
    expect(opener.open(sealed, false)).toBeUndefined()
  })

  it('demands keys and salts of their size', () => {
    expect(() => deriveStreamKeys(Buffer.alloc(31), Buffer.alloc(32), Buffer.alloc(0))).toThrow(/32 bytes, got 31/)
    expect(() => deriveStreamKeys(Buffer.alloc(32), Buffer.alloc(16), Buffer.alloc(0))).toThrow(/32 bytes, got 16/)
  })
})

describe('sizes', () => {
  it('go there and back, and no other size is one', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        const size = n % (5 * 1024 ** 4)
        expect(plaintextSize(sealedSize(size))).toBe(size)
      }),
    )
    const possible = new Set(Array.from({ length: 200 }, (_, size) => sealedSize(size)))
    for (let sealed = 0; sealed < 200; sealed++) {
      expect(plaintextSize(sealed) !== undefined).toBe(possible.has(sealed))
    }
    expect([0, 1, FRAME_BYTES, FRAME_BYTES + 1].map(frameCount)).toEqual([1, 1, 1, 2])
    // A whole frame and an empty last one: what no sealer makes.
    expect(plaintextSize(SEALED_FRAME_BYTES + 16)).toBeUndefined()
  })
})
