import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FileSystemFaults, installFileSystemFaults } from './fs-faults.ts'
import { roots } from './rotations.ts'
import { boot, caller, decrypt, generate } from './service.ts'

let root: string
let faults: FileSystemFaults
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kms-rotate-service-'))
  faults = await installFileSystemFaults()
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** The key directory is named by a path that stays the same: the home is moved to where the test works. */
const HOME = 'home'

describe.each([
  ['raw', 'other raw'],
  ['raw', 'generated'],
  ['generated', 'raw'],
] as const)('a service whose root key is changed from a %s one to a %s one', (from, to) => {
  it('and that dies at any step, starts again and opens what it wrapped', async () => {
    const home = join(root, HOME)
    const kept = join(root, `kept-${from}-${to}`)
    const fields = JSON.parse(JSON.stringify(roots[from])) as object
    const { manager: first } = await boot(home)
    const config = { backend_type: 'local', key_dir: join(home, 'keys'), default_key_id: 'orders', ...fields }
    await first.configure(config, caller)
    await first.start({ force: false }, caller)
    const issued = await generate(first)
    await first.close()
    await cp(home, kept, { recursive: true, preserveTimestamps: true })

    let steps = 0
    for (let step = 1; ; step++) {
      await rm(home, { recursive: true })
      await cp(kept, home, { recursive: true, preserveTimestamps: true })
      const reached = await faults.live(async () => {
        const victim = await boot(home)
        faults.arm(step, 'stop')
        await Promise.race([victim.manager.rotateRoot(JSON.parse(JSON.stringify(roots[to])), caller), faults.stopped])
        const hit = faults.steps >= step
        faults.disarm()
        await victim.abandon()
        return hit
      })
      await rm(join(home, 'keys', '.lock'), { force: true })
      for (let start = 1; start <= 2; start++) {
        const { manager: next } = await boot(home)
        expect(next.status(), `step ${step}, start ${start}`).toMatchObject({ status: 'Running', lastError: undefined })
        const opened = await decrypt(next, issued.ciphertext)
        expect(opened).toEqual(issued.plaintext)
        await generate(next)
        if (start === 2) await next.rotateRoot(roots['third raw'], caller)
        await next.close()
      }
      steps = step
      if (!reached) break
    }
    expect(steps).toBeGreaterThan(20)
    await rm(home, { recursive: true })
  }, 60_000)
})
