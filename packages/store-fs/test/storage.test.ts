import { Buffer } from 'node:buffer'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectStore } from '@kms/s3-api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StoreClock } from '../src/store-clock.ts'
import { auditStore } from './audit.ts'
import { type Scratch, scratchStore } from './scratch.ts'

const BUCKET = 'photos'

let scratch: Scratch

beforeEach(async () => {
  scratch = await scratchStore()
})
afterEach(() => scratch.cleanup())

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* parts
}

function put(store: ObjectStore, key: string, body: AsyncIterable<Uint8Array>, uses = 0) {
  const used = Array.from({ length: uses }, () => ({ realm: 'r', keyId: 'k', version: 1 }))
  return store.putObject({ bucket: BUCKET, key, body, uses: used, finish: () => ({ metadata: Buffer.from('m') }) })
}

async function bodies(): Promise<readonly string[]> {
  const entries = await readdir(join(scratch.directory, 'bodies'), { withFileTypes: true, recursive: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: { readonly code?: unknown }) => error.code,
  )
}

/** A clock that moves when it is told to. */
function manualClock(): StoreClock & { advance(ms: number): void } {
  let time = 1_000_000
  const timers = new Map<symbol, { readonly due: number; readonly callback: () => void }>()
  return {
    now: () => time,
    after(ms, callback) {
      const timer = Symbol('timer')
      timers.set(timer, { due: time + ms, callback })
      return () => timers.delete(timer)
    },
    advance(ms) {
      time += ms
      for (const [timer, { due, callback }] of timers) {
        if (due > time) continue
        timers.delete(timer)
        callback()
      }
    },
  }
}

describe('the directory', () => {
  it('is made, for the owner alone', async () => {
    const store = await scratch.open()
    await store.createBucket(BUCKET)
    await put(store, 'a', chunks(Buffer.from('x')))
    for (const path of [scratch.directory, join(scratch.directory, 'bodies')]) {
      expect((await stat(path)).mode & 0o777).toBe(0o700)
    }
    for (const path of [join(scratch.directory, 'store.json'), ...(await bodies())]) {
      expect((await stat(path)).mode & 0o777).toBe(0o600)
    }
  })

  it('of a newer release is refused by its format, and left alone', async () => {
    await mkdir(scratch.directory)
    await writeFile(join(scratch.directory, 'store.json'), '{"format":2}\n')
    await expect(scratch.open()).rejects.toMatchObject({ code: 'NewerFormat', message: /format 2.*formats up to 1/ })
    expect(await readdir(scratch.directory)).toEqual(['store.json'])
  })

  it.each([
    ['of somebody else', 'letter.txt', 'hello'],
    ['with a description that is none', 'store.json', '{"format":"1"}'],
    ['with a description that is no JSON', 'store.json', 'hello'],
  ])('%s is refused, and left alone', async (_, name, text) => {
    await mkdir(scratch.directory)
    await writeFile(join(scratch.directory, name), text)
    expect(await codeOf(scratch.open())).toBe('Damaged')
    expect(await readdir(scratch.directory)).toEqual([name])
    expect(await readFile(join(scratch.directory, name), 'utf8')).toBe(text)
  })

  it('is initialised once, however many begin with it', async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => scratch.open()))
    await stores[0]?.createBucket(BUCKET)
    expect(await stores[4]?.bucket(BUCKET)).toBeDefined()
    expect((await readdir(scratch.directory)).sort()).toEqual(['bodies', 'index', 'reserve', 'store.json'])
  })
})

describe('files of bodies', () => {
  it('are gone once nothing refers to them', async () => {
    const store = await scratch.open()
    await store.createBucket(BUCKET)
    for (let round = 0; round < 10; round++) {
      await Promise.all(['a', 'b', 'c'].map((key) => put(store, key, chunks(Buffer.from(`${key}${round}`)), 1)))
    }
    const name = { bucket: BUCKET, key: 'm' }
    const finish = () => ({ metadata: Buffer.from('m') })
    const { uploadId } = await store.createUpload({ ...name, metadata: Buffer.from('m') })
    for (const number of [1, 2, 2, 3]) {
      await store.putPart({ ...name, uploadId, number, body: chunks(Buffer.from('part')), finish })
    }
    await store.abortUpload({ ...name, uploadId })
    await store.deleteObject({ bucket: BUCKET, key: 'b' })
    await store.sweep()
    await store.close()
    expect(await auditStore(scratch.directory)).toEqual({ orphans: [], missing: [], leftovers: [] })
    expect(await bodies()).toHaveLength(2)
  })

  it('that are missing or cut off are damage, not silence', async () => {
    const store = await scratch.open()
    await store.createBucket(BUCKET)
    await put(store, 'a', chunks(Buffer.alloc(300_000, 'x')))
    const [file = ''] = await bodies()
    await truncate(file, 299_999)
    const opened = await store.openObject({ bucket: BUCKET, key: 'a' })
    const reading = async (): Promise<void> => {
      for await (const _ of opened?.read({ start: 0, end: 300_000 }) ?? []);
    }
    expect(await codeOf(reading())).toBe('Damaged')
    await opened?.close()
    await rm(file)
    expect(await codeOf(store.openObject({ bucket: BUCKET, key: 'a' }))).toBe('Damaged')
    expect((await store.object({ bucket: BUCKET, key: 'a' }))?.size).toBe(300_000)
  })
})

describe('what a process left that said no more', () => {
  it('is removed when nothing was heard of it for ten minutes, and its write is refused', async () => {
    const clock = manualClock()
    const sleeper = await scratch.open({ clock })
    await sleeper.createBucket(BUCKET)
    let go = (): void => {}
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    let begun = (): void => {}
    const started = new Promise<void>((resolve) => {
      begun = resolve
    })
    async function* slow(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.alloc(600_000)
      begun()
      await gate
      yield Buffer.alloc(600_000)
    }
    const writing = codeOf(put(sleeper, 'a', slow(), 1))
    await started
    // Its own clock stands still: it gives no sign of life.
    let offset = 0
    const store = await scratch.open({ clock: { ...clock, now: () => clock.now() + offset } })
    await store.sweep()
    expect(await store.countKeyUse({ realm: 'r' })).toEqual({ objects: 0, uploads: 1 })
    offset = 600_001
    await store.sweep()
    expect(await store.countKeyUse({ realm: 'r' })).toEqual({ objects: 0, uploads: 0 })
    expect(await bodies()).toEqual([])
    go()
    expect(await writing).toBe('StorageFailed')
    expect(await store.object({ bucket: BUCKET, key: 'a' })).toBeUndefined()
    await put(sleeper, 'b', chunks(Buffer.from('x')))
    await Promise.all([sleeper.close(), store.close()])
    expect(await auditStore(scratch.directory)).toEqual({ orphans: [], missing: [], leftovers: [] })
  })

  it('stays while it gives signs of life', async () => {
    const clock = manualClock()
    const here = await scratch.open({ clock })
    await here.createBucket(BUCKET)
    let go = (): void => {}
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    async function* slow(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from('x')
      await gate
    }
    const writing = put(here, 'a', slow(), 1)
    const other = await scratch.open({ clock })
    for (let minute = 0; minute < 30; minute++) {
      clock.advance(60_000)
      await here.sweep()
      await other.sweep()
    }
    go()
    await writing
    expect(await other.countKeyUse({ realm: 'r' })).toEqual({ objects: 1, uploads: 0 })
  })
})

describe('readers in another process', () => {
  it('keep what they read, until they say that they are done', async () => {
    const clock = manualClock()
    const reader = await scratch.open({ clock })
    const writer = await scratch.open({ clock })
    await reader.createBucket(BUCKET)
    const name = { bucket: BUCKET, key: 'a' }
    const finish = () => ({ metadata: Buffer.from('m') })
    const { uploadId } = await writer.createUpload({ ...name, metadata: Buffer.from('m') })
    const part = (number: number) =>
      writer.putPart({ ...name, uploadId, number, body: chunks(Buffer.from(`part ${number} `)), finish })
    const parts = [await part(1), await part(2)]
    await writer.completeUpload({ ...name, uploadId, parts, object: finish() })
    await reader.sweep()
    const opened = await reader.openObject(name)
    await writer.deleteObject(name)
    for (let round = 0; round < 3; round++) {
      clock.advance(10_000)
      await Promise.all([writer.sweep(), reader.sweep()])
    }
    expect(await bodies()).toHaveLength(2)
    let text = ''
    for await (const chunk of opened?.read({ start: 0, end: opened.size }) ?? []) text += chunk.toString()
    expect(text).toBe('part 1 part 2 ')
    await opened?.close()
    await reader.sweep()
    await writer.sweep()
    expect(await bodies()).toEqual([])
  })
})

describe('a listing', () => {
  it('takes the time of its page, not of the bucket', async () => {
    const store = await scratch.open()
    const time = async (keys: number): Promise<number> => {
      const bucket = `keys-${keys}`
      await store.createBucket(bucket)
      for (let first = 0; first < keys; first += 500) {
        await Promise.all(
          Array.from({ length: Math.min(500, keys - first) }, (_, i) => {
            const key = `${String((first + i) % 20).padStart(2, '0')}/${first + i}`
            return store.putObject({ bucket, key, body: chunks(), finish: () => ({ metadata: Buffer.from('m') }) })
          }),
        )
      }
      const times: number[] = []
      for (let run = 0; run < 15; run++) {
        const start = performance.now()
        const page = await store.listObjects({ bucket, delimiter: '/', limit: 10, after: { key: '05/', prefix: true } })
        times.push(performance.now() - start)
        expect(page.entries).toHaveLength(10)
      }
      return times.sort((a, b) => a - b)[7] as number
    }
    const small = await time(200)
    const large = await time(20_000)
    expect(large).toBeLessThan(small * 10 + 1)
  }, 60_000)
})

describe('a full disk', () => {
  it('refuses writes whole, reads and deletes on, and works again once there is room', async ({ skip }) => {
    await onSmallDisk(skip, expectRecovery)
  }, 60_000)

  it('lets go of things when there is not a byte left to do it with', async ({ skip }) => {
    await onSmallDisk(skip, expectRoomForDeleting)
  }, 60_000)

  async function onSmallDisk(skip: (reason: string) => never, work: () => Promise<void>): Promise<void> {
    await mkdir(scratch.directory)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', scratch.directory])
    if (mounted.status !== 0) skip('no small file system can be mounted here')
    try {
      await work()
    } finally {
      await scratch.closeAll()
      spawnSync('umount', [scratch.directory])
    }
  }

  async function expectRoomForDeleting(): Promise<void> {
    const store = await scratch.open()
    await store.createBucket(BUCKET)
    const name = { bucket: BUCKET, key: 'm' }
    for (const key of ['a', 'b']) await put(store, key, chunks(Buffer.alloc(1000)), 1)
    const { uploadId } = await store.createUpload({ ...name, metadata: Buffer.from('m') })
    const filler = join(scratch.directory, 'filler')
    await writeFile(filler, Buffer.alloc(4_000_000)).catch(() => {})
    // What the database has free is soon used up.
    for (let i = 0; i < 20; i++) {
      expect(await codeOf(put(store, `c${i}`, chunks(Buffer.alloc(300_000)), 1))).toBe('StorageFailed')
    }
    expect(await store.deleteObject({ bucket: BUCKET, key: 'a' })).toBe(true)
    await store.sweep()
    // What came free is kept for more of that, until there is enough.
    expect(await codeOf(put(store, 'c', chunks(Buffer.from('x')), 1))).toBe('StorageFailed')
    await store.abortUpload({ ...name, uploadId })
    expect(await store.deleteObject({ bucket: BUCKET, key: 'b' })).toBe(true)
    await rm(filler)
    await put(store, 'c', chunks(Buffer.from('x')), 1)
    expect((await stat(join(scratch.directory, 'reserve'))).size).toBe(1024 * 1024)
    await store.close()
    expect(await auditStore(scratch.directory)).toEqual({ orphans: [], missing: [], leftovers: [] })
  }

  async function expectRecovery(): Promise<void> {
    const store = await scratch.open()
    await store.createBucket(BUCKET)
    await put(store, 'kept', chunks(Buffer.alloc(1_000_000, 'k')), 1)
    await put(store, 'dropped', chunks(Buffer.alloc(300_000)), 1)
    expect(await codeOf(put(store, 'large', chunks(Buffer.alloc(4_000_000)), 1))).toBe('StorageFailed')
    const blobs = (bytes: number) => ({ body: chunks(), finish: () => ({ metadata: Buffer.alloc(bytes) }) })
    let refusal: unknown
    // Metadata fills what bodies leave.
    for (let i = 0; i < 3000 && refusal === undefined; i++) {
      refusal = await codeOf(store.putObject({ bucket: BUCKET, key: `m${i}`, ...blobs(60_000) }))
    }
    expect(refusal).toBe('StorageFailed')
    // Not a byte is left.
    const filler = join(scratch.directory, 'bodies', 'filler')
    await writeFile(filler, Buffer.alloc(4_000_000)).catch(() => {})
    const opened = await store.openObject({ bucket: BUCKET, key: 'kept' })
    let size = 0
    for await (const chunk of opened?.read({ start: 0, end: 1_000_000 }) ?? []) size += chunk.length
    await opened?.close()
    expect(size).toBe(1_000_000)
    expect(await store.deleteObject({ bucket: BUCKET, key: 'dropped' })).toBe(true)
    await store.sweep()
    await rm(filler)
    await put(store, 'again', chunks(Buffer.alloc(100_000)), 1)
    expect(await store.countKeyUse({ realm: 'r' })).toEqual({ objects: 2, uploads: 0 })
    await store.close()
    expect(await auditStore(scratch.directory)).toEqual({ orphans: [], missing: [], leftovers: [] })
  }
})
