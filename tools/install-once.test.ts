import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { installOnce } from './install-once.ts'
import { scratchFolder } from './scratch.ts'
import { root } from './workspace.mjs'

let cache: string

beforeEach(() => {
  const folder = scratchFolder({})
  cache = join(folder, 'kms')
  vi.stubEnv('XDG_CACHE_HOME', folder)
})

function make(place: string): void {
  mkdirSync(place)
  writeFileSync(join(place, 'tool'), '')
}

describe('what tests need is installed', () => {
  it('once', () => {
    const install = vi.fn<typeof make>(make)
    const place = installOnce('tool-1', install)
    expect(installOnce('tool-1', install)).toBe(place)
    expect(install).toHaveBeenCalledOnce()
    expect(readdirSync(cache)).toEqual(['tool-1'])
    expect(readdirSync(place).toSorted()).toEqual(['complete', 'tool'])
  })

  it('anew after it failed or was interrupted', () => {
    const failing = (place: string): never => {
      make(place)
      throw new Error('no network')
    }
    expect(() => installOnce('tool-1', failing)).toThrow('no network')
    expect(existsSync(join(cache, 'tool-1', 'complete'))).toBe(false)
    expect(readdirSync(installOnce('tool-1', make)).toSorted()).toEqual(['complete', 'tool'])
  })

  it('by another, where the first has died', () => {
    mkdirSync(join(cache, 'tool-1.lock'), { recursive: true })
    utimesSync(join(cache, 'tool-1.lock'), 0, 0)
    expect(existsSync(join(installOnce('tool-1', make), 'tool'))).toBe(true)
    expect(readdirSync(cache)).toEqual(['tool-1'])
  })

  it('by one of several processes that need it at the same time', async () => {
    const script = join(scratchFolder({ 'install.test.ts': installer }, cacheOfProject()), 'install.test.ts')
    const runs = [1, 2, 3].map(() => vitest(script))
    expect(await Promise.all(runs)).toEqual([0, 0, 0])
    expect(readFileSync(join(cache, 'installed'), 'utf8')).toBe('x')
  })
})

const installer = `
import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { installOnce } from '${join(root, 'tools/install-once.ts')}'
it('installs', () => {
  const place = installOnce('tool-1', (folder) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    appendFileSync(join(dirname(folder), 'installed'), 'x')
    mkdirSync(folder)
  })
  expect(existsSync(place)).toBe(true)
})`

function cacheOfProject(): string {
  const folder = join(root, '.cache')
  mkdirSync(folder, { recursive: true })
  return folder
}

async function vitest(file: string): Promise<number> {
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', join(file, '..')]
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  const [code] = (await once(child, 'exit')) as [number]
  return code
}
