import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownIdentity } from '@kms/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDataDirectory, type ServerLock } from './server-lock.ts'

let folder: string
const held: ServerLock[] = []
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kms-lock-'))
})
afterEach(async () => {
  for (const taken of held.splice(0)) await taken.release()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

async function lock(address = '127.0.0.1:9000'): Promise<ServerLock> {
  const taken = await lockDataDirectory(folder, address)
  held.push(taken)
  return taken
}

const lockFile = (): string => join(folder, 'server.lock')
const readHolder = (): Record<string, unknown> => JSON.parse(readFileSync(lockFile(), 'utf8'))

async function leave(fields: Readonly<Record<string, unknown>>): Promise<string> {
  const text = `${JSON.stringify({ format: 1, ...(await ownIdentity()), address: '127.0.0.1:1', socket: '', ...fields })}\n`
  writeFileSync(lockFile(), text)
  return text
}

/** The id of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  return child.pid as number
}

/** A process that lives until the test is over. */
async function livingChild(): Promise<number> {
  const child = spawn('sleep', ['60'])
  children.push(child)
  await once(child, 'spawn')
  return child.pid as number
}

describe('lockDataDirectory', () => {
  it('names the holder in the file, and leaves nothing behind', async () => {
    const taken = await lock('127.0.0.1:9000')
    expect(readHolder()).toMatchObject({ format: 1, pid: process.pid, address: '127.0.0.1:9000' })
    await taken.announce('127.0.0.1:43210')
    expect(readHolder()).toMatchObject({ pid: process.pid, address: '127.0.0.1:43210' })
    await taken.release()
    expect(readdirSync(folder)).toEqual([])
  })

  it('refuses a second server, naming process and address', async () => {
    await lock('127.0.0.1:9000')
    const before = readFileSync(lockFile(), 'utf8')
    const refused = lock('127.0.0.1:9001')
    await expect(refused).rejects.toMatchObject({ exitCode: 3 })
    await expect(refused).rejects.toThrow(`(pid ${process.pid}, listening on 127.0.0.1:9000)`)
    expect(readFileSync(lockFile(), 'utf8')).toBe(before)
    expect(readdirSync(folder).filter((name) => name.endsWith('.sock'))).toHaveLength(1)
  })

  it('takes over from a process that has ended', async () => {
    await leave({ pid: await deadPid() })
    await lock()
    expect(readHolder()).toMatchObject({ pid: process.pid })
  })

  it('takes over when the process id was given to another program', async () => {
    await leave({ pid: await livingChild() })
    await lock()
    expect(readHolder()).toMatchObject({ pid: process.pid })
  })

  it('takes over what was left before the machine was started again', async () => {
    await leave({ boot: 'another-boot' })
    await lock()
    expect(readHolder()).toMatchObject({ pid: process.pid })
  })

  it('does not take over a file that is not a lock', async () => {
    for (const content of ['', '{}', 'pid 1', '{"format":2,"pid":1}']) {
      writeFileSync(lockFile(), content)
      await expect(lock()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('not a lock') })
      expect(readFileSync(lockFile(), 'utf8')).toBe(content)
    }
  })

  describe('a holder in another container', () => {
    const elsewhere = async () => ({ namespace: (await ownIdentity()).namespace.replace(/\d+\]$/, '1]'), pid: 1 })

    it('is alive as long as its socket answers', async () => {
      const server = createServer().listen(join(folder, 'server-00000001.sock'))
      await once(server, 'listening')
      await leave({ ...(await elsewhere()), socket: 'server-00000001.sock' })
      await expect(lock()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('another container') })
      server.close()
      await once(server, 'close')
      await lock()
    })

    it('is not taken for dead when it has no socket', async () => {
      await leave(await elsewhere())
      await expect(lock()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining(lockFile()) })
    })
  })

  it('of many that find a dead holder one wins', async () => {
    await leave({ pid: await deadPid() })
    const results = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => lock(`127.0.0.1:${i + 1}`)))
    const winners = results.filter(({ status }) => status === 'fulfilled')
    expect(winners).toHaveLength(1)
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ exitCode: 3 })
    const address = readHolder()['address']
    expect(results.findIndex(({ status }) => status === 'fulfilled')).toBe(Number(String(address).split(':')[1]) - 1)
    expect(readdirSync(folder).filter((name) => !name.endsWith('.sock'))).toEqual(['server.lock'])
  })

  it('a starter that died while taking over does not stand in the way', async () => {
    const text = await leave({ pid: await deadPid() })
    const turn = `${lockFile()}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
    writeFileSync(turn, text.replace('127.0.0.1:1', '127.0.0.1:2'))
    await lock()
    expect(readHolder()).toMatchObject({ pid: process.pid })
    expect(readdirSync(folder).filter((name) => !name.endsWith('.sock'))).toEqual(['server.lock'])
  })

  it('clears away the sockets of killed servers', async () => {
    const server = spawn(process.execPath, [
      '-e',
      "require('net').createServer().listen(process.argv[1],()=>process.kill(process.pid,'SIGKILL'))",
      join(folder, 'server-0000abcd.sock'),
    ])
    await once(server, 'exit')
    expect(readdirSync(folder)).toEqual(['server-0000abcd.sock'])
    const taken = await lock()
    expect(readdirSync(folder)).not.toContain('server-0000abcd.sock')
    await taken.release()
    expect(readdirSync(folder)).toEqual([])
  })

  it('a lock that was taken away is not released for its new holder', async () => {
    const taken = await lock()
    const text = await leave({ pid: process.ppid })
    await taken.release()
    expect(readFileSync(lockFile(), 'utf8')).toBe(text)
  })

  it('works where the path is too long for a socket', async () => {
    const original = folder
    folder = mkdtempSync(join(original, `${'long'.repeat(30)}-`))
    try {
      const taken = await lock()
      expect(readHolder()).toMatchObject({ socket: '' })
      await expect(lock()).rejects.toMatchObject({ exitCode: 3 })
      await taken.release()
      expect(readdirSync(folder)).toEqual([])
    } finally {
      folder = original
    }
  })
})
