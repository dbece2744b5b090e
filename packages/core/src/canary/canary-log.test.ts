import { type FileHandle, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { formatLine, type KeyLine } from './canary-line.ts'
import { type CanaryLog, openCanaryLog } from './canary-log.ts'

const realm = 'ab'.repeat(16)

let directory: string
let log: CanaryLog
let written: [KeyLine, number, number][]

const path = () => join(directory, `${realm}.log`)

async function openLog(): Promise<CanaryLog> {
  return openCanaryLog({ path: path(), realm, onWritten: (...line) => written.push(line) })
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kms-canary-log-'))
  written = []
  log = await openLog()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await log.close()
  await rm(directory, { recursive: true })
})

const destroyed = (key: string): KeyLine => ({ key, destroyed: 1 })
const header = formatLine({ format: 1, realm })

/** Every file handle's methods; a fault of the disk cannot be had otherwise. */
async function fileHandles(): Promise<FileHandle> {
  const handle = await open(directory)
  await handle.close()
  return Object.getPrototypeOf(handle) as FileHandle
}

const diskFull = Object.assign(new Error('no space left'), { code: 'ENOSPC' })

describe('the log of canaries', () => {
  it('begins with one header, however many write at first', async () => {
    await Promise.all(['a', 'b', 'c'].map((key) => log.append(destroyed(key))))
    await log.append(destroyed('d'))
    const lines = ['a', 'b', 'c', 'd'].map((key) => formatLine(destroyed(key)))
    expect(await readFile(path(), 'utf8')).toBe(header + lines.join(''))
    const read = await Promise.all(written.map(([, offset, length]) => log.read(offset, length)))
    expect(read).toEqual(written.map(([line]) => line))
  })

  it.each([
    ['at once', false],
    ['before the next write, when the disk let that not be done at once', true],
  ])('takes back what a failed write left, %s', async (_, isStuck) => {
    await log.append(destroyed('a'))
    const before = await readFile(path(), 'utf8')
    const handles = await fileHandles()
    vi.spyOn(handles, 'appendFile').mockImplementationOnce(async function (this: FileHandle, text) {
      await this.write(String(text).slice(0, 20))
      throw diskFull
    })
    if (isStuck) vi.spyOn(handles, 'truncate').mockRejectedValueOnce(diskFull)
    await expect(log.append(destroyed('b'))).rejects.toMatchObject({ code: 'StorageFailed' })
    expect(await readFile(path(), 'utf8')).toBe(isStuck ? before + formatLine(destroyed('b')).slice(0, 20) : before)
    await log.append(destroyed('c'))
    expect(await readFile(path(), 'utf8')).toBe(before + formatLine(destroyed('c')))
    const [last, offset, length] = written.at(-1) as (typeof written)[0]
    expect(await log.read(offset, length)).toEqual(last)
    await log.close()
    log = await openLog()
    expect(log.size).toBe((await readFile(path())).length)
  })
})
