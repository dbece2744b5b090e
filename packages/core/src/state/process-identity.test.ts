import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { lookForProcess, ownIdentity } from './process-identity.ts'

/** Starts a process that ends when its input does; gives its pid. */
function start() {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] })
  return {
    pid: child.pid ?? expect.fail('it did not start'),
    end: () => child.kill('SIGKILL'),
    ended: new Promise((resolve) => child.once('exit', resolve)),
  }
}

describe('the identity of a process', () => {
  it('finds this process alive', async () => {
    expect(await lookForProcess(await ownIdentity())).toBe('alive')
  })

  it('finds a process gone once it has ended', async () => {
    const child = start()
    const identity = { ...(await ownIdentity()), pid: child.pid, started: '' }
    expect(await lookForProcess(identity)).toBe('alive')
    child.end()
    await child.ended
    expect(await lookForProcess(identity)).toBe('gone')
  })

  it('does not take a later process with the same id for the earlier one', async () => {
    expect(await lookForProcess({ ...(await ownIdentity()), started: '1' })).toBe('gone')
  })

  it('claims nothing about other boots and other namespaces', async () => {
    const own = await ownIdentity()
    expect(await lookForProcess({ ...own, boot: 'another' })).toBe('other-boot')
    expect(await lookForProcess({ ...own, namespace: 'pid:[1]' })).toBe('other-namespace')
  })
})
