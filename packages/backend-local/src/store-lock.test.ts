import fs, { link, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@kms/core'
import { createManualClock } from '@kms/core/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { expectRefusal } from '../test/scratch-store.ts'
import { createStoreLock, type StoreLock } from './store-lock.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-lock-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** What a lock made by this process says, taken while it is held. */
async function ownLock(): Promise<Record<string, unknown>> {
  const text = await createStoreLock(directory, systemClock).run(() => readFile(join(directory, '.lock'), 'utf8'))
  return JSON.parse(text) as Record<string, unknown>
}

async function leaveLock(owner: Readonly<Record<string, unknown>>, name = '.lock'): Promise<void> {
  await writeFile(join(directory, name), JSON.stringify(owner))
}

describe('createStoreLock', () => {
  it('lets one write run at a time, in every lock of the directory', async () => {
    const locks: StoreLock[] = [1, 2, 3].map(() => createStoreLock(directory, systemClock))
    let running = 0
    let most = 0
    const write = async (): Promise<void> => {
      most = Math.max(most, ++running)
      await readdir(directory)
      running--
    }
    await Promise.all(Array.from({ length: 10 }, () => locks.map((lock) => lock.run(write))).flat())
    expect(most).toBe(1)
    expect(await readdir(directory)).toEqual([])
  })

  it('is free again after a write that failed, and says what it returned or threw', async () => {
    const lock = createStoreLock(directory, systemClock)
    const error = new Error('the write failed')
    await expect(lock.run(() => Promise.reject(error))).rejects.toBe(error)
    expect(await lock.run(async () => 7)).toBe(7)
    await lock.idle()
    expect(await readdir(directory)).toEqual([])
  })

  it.each([
    ['a process that is gone', { pid: 2 ** 22 + 1 }],
    ['an earlier process with the same id', { started: '1' }],
  ])('succeeds the lock of %s at once', async (_, change) => {
    await leaveLock({ ...(await ownLock()), ...change })
    expect(await createStoreLock(directory, createManualClock(0)).run(async () => 'ran')).toBe('ran')
    expect(await readdir(directory)).toEqual([])
  })

  it.each(['', '{"pid":', '7', 'null', '{"pid":"1"}', '\0\0\0\0'])(
    'succeeds a lock cut short by a power failure: %j',
    async (text) => {
      await writeFile(join(directory, '.lock'), text)
      expect(await createStoreLock(directory, createManualClock(0)).run(async () => 'ran')).toBe('ran')
      expect(await readdir(directory)).toEqual([])
    },
  )

  it('succeeds a successor that died too, and lets only one of many do so', async () => {
    const dead = { ...(await ownLock()), pid: 2 ** 22 + 1 }
    await leaveLock(dead)
    // The lock of a successor that died while it held the store.
    let successor = ''
    await createStoreLock(directory, systemClock).run(async () => {
      successor = (await readdir(directory)).find((name) => /^\.lock\.[0-9a-f]{16}$/.test(name)) ?? ''
      await link(join(directory, '.lock'), join(directory, 'kept'))
    })
    expect(successor).not.toBe('')
    await link(join(directory, 'kept'), join(directory, '.lock'))
    await leaveLock(dead, successor)
    await rm(join(directory, 'kept'))

    let running = 0
    let most = 0
    const locks = Array.from({ length: 8 }, () => createStoreLock(directory, systemClock))
    await Promise.all(
      locks.map((lock) =>
        lock.run(async () => {
          most = Math.max(most, ++running)
          await readdir(directory)
          running--
        }),
      ),
    )
    expect(most).toBe(1)
    expect(await readdir(directory)).toEqual([])
  })

  it('waits 10 s for a living owner, then gives up and leaves its lock', async () => {
    const living = JSON.stringify(await ownLock())
    await writeFile(join(directory, '.lock'), living)
    const clock = impatientClock()
    const attempt = createStoreLock(directory, clock).run(async () => 'ran')
    await expectRefusal(attempt, 'BackendUnavailable', 'another server keeps writing')
    expect(clock.now()).toBeGreaterThanOrEqual(10_000)
    expect(clock.now()).toBeLessThan(10_100)
    expect(await readFile(join(directory, '.lock'), 'utf8')).toBe(living)
    expect(await readdir(directory)).toEqual(['.lock'])
  })

  it('succeeds the lock of another host only after it stood unchanged for 30 s', async () => {
    await leaveLock({ ...(await ownLock()), boot: 'another host' })
    const clock = impatientClock()
    const lock = createStoreLock(directory, clock)
    await expectRefusal(
      lock.run(async () => 'ran'),
      'BackendUnavailable',
    )
    await expectRefusal(
      lock.run(async () => 'ran'),
      'BackendUnavailable',
    )
    expect(await lock.run(async () => 'ran')).toBe('ran')
    expect(clock.now()).toBeGreaterThanOrEqual(30_000)
    expect(await readdir(directory)).toEqual([])
  })

  it('says why when the directory cannot hold a lock', async () => {
    await rm(directory, { recursive: true })
    const lock = createStoreLock(directory, systemClock)
    await expectRefusal(
      lock.run(async () => 'ran'),
      'StoreUnwritable',
      directory,
    )
  })
})

describe('a lock whose files change under its feet', () => {
  afterEach(() => {
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  })

  it('is not held by one who succeeded a lock that was given back meanwhile', async () => {
    const living = JSON.stringify(await ownLock())
    await leaveLock({ ...(JSON.parse(living) as object), pid: 2 ** 22 + 1 })
    const realLink = fs.link
    vi.spyOn(fs, 'link').mockImplementation(async (from, to) => {
      // Just before the successor is made, its predecessor's successor finishes and another server takes the lock.
      if (/\.lock\.[0-9a-f]{16}$/.test(String(to))) await writeFile(join(directory, '.lock'), living)
      return realLink(from, to)
    })
    syncBuiltinESMExports()
    const attempt = createStoreLock(directory, impatientClock()).run(async () => 'ran')
    await expectRefusal(attempt, 'BackendUnavailable')
    expect(await readdir(directory)).toEqual(['.lock'])
  })

  it('is free for the next write although its file could not be removed', async () => {
    const lock = createStoreLock(directory, createManualClock(0))
    const realUnlink = fs.unlink
    let failures = 0
    vi.spyOn(fs, 'unlink').mockImplementation((path) => {
      if (!String(path).endsWith('.lock') || failures++ > 0) return realUnlink(path)
      return Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
    })
    syncBuiltinESMExports()
    expect(await lock.run(async () => 'first')).toBe('first')
    expect(await readdir(directory)).toEqual(['.lock'])
    expect(await lock.run(async () => 'second')).toBe('second')
    expect(await readdir(directory)).toEqual([])
  })
})

/** Time passes exactly when somebody waits. */
function impatientClock(): Clock {
  let time = 0
  return {
    now: () => time,
    after(ms, callback) {
      time += ms
      const timer = setImmediate(callback)
      return () => clearImmediate(timer)
    },
  }
}
