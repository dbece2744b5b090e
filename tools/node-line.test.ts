import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { cacheFolder, ensureNodeLine } from './node-line.mjs'
import { scratchFolder } from './scratch.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** A cache that holds a `node` which says this version, and a PATH whose only `npm` fails. */
function cacheWith(version: string): string {
  const cache = scratchFolder({
    'kms/node-22/node_modules/.bin/node': `#!/bin/sh\necho ${version}\n`,
    'bin/npm': '#!/bin/sh\necho registry unreachable >&2\nexit 1\n',
  })
  chmodSync(join(cache, 'kms/node-22/node_modules/.bin/node'), 0o755)
  chmodSync(join(cache, 'bin/npm'), 0o755)
  vi.stubEnv('XDG_CACHE_HOME', cache)
  vi.stubEnv('PATH', `${join(cache, 'bin')}:/usr/bin:/bin`)
  return cache
}

describe('ensureNodeLine', () => {
  it('uses the Node it installed before', async () => {
    const cache = cacheWith('v22.23.3')
    expect(await ensureNodeLine('22')).toEqual({
      bin: join(cache, 'kms/node-22/node_modules/.bin'),
      version: 'v22.23.3',
    })
  })

  it('says why there is none, and never takes another line for it', async () => {
    cacheWith('v20.20.2')
    expect(await ensureNodeLine('22')).toEqual({
      problem: 'npm could not install node@22: registry unreachable',
    })
  })
})

describe('cacheFolder', () => {
  it('follows XDG_CACHE_HOME', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/somewhere' })).toBe('/somewhere/kms')
    expect(cacheFolder({ XDG_CACHE_HOME: '' })).toMatch(/\/\.cache\/kms$/)
  })
})
