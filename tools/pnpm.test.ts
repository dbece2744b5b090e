import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { installStamp, pnpmCommand, requireNode } from './pnpm.mjs'
import { scratchFolder } from './scratch.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('requireNode', () => {
  function exitsWith(version: string): boolean {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
      throw new Error('exit')
    })
    const said = vi.spyOn(console, 'error').mockReturnValue()
    try {
      requireNode(version)
      return false
    } catch {
      expect(exit).toHaveBeenCalledWith(1)
      expect(said.mock.lastCall?.[0]).toContain(`Node 20.19 or newer is needed; this is Node ${version}`)
      return true
    }
  }

  it.each(['20.19.0', '20.20.2', '22.0.0', '24.21.0'])('accepts %s', (version) => {
    expect(exitsWith(version)).toBe(false)
  })

  it.each(['20.18.3', '18.20.8', '9.11.2'])('refuses %s', (version) => {
    expect(exitsWith(version)).toBe(true)
  })
})

describe('pnpmCommand', () => {
  it('runs the pinned pnpm through npx', () => {
    expect(pnpmCommand(['exec', 'turbo'])).toEqual({
      command: 'npx',
      args: ['--yes', expect.stringMatching(/^pnpm@\d+\.\d+\.\d+$/), 'exec', 'turbo'],
    })
  })
})

describe('installStamp', () => {
  const files = {
    'pnpm-lock.yaml': 'lock',
    'pnpm-workspace.yaml': 'workspace',
    'package.json': '{"name":"kms"}',
    'packages/iam/package.json': '{"name":"@kms/iam"}',
    'apps/server/package.json': '{"name":"@kms/server"}',
  }

  it('is the same for the same files', () => {
    expect(installStamp(scratchFolder(files))).toBe(installStamp(scratchFolder({ ...files, 'packages/iam/a.ts': '' })))
  })

  it.each(Object.keys(files))('changes with %s', (path) => {
    const folder = scratchFolder(files)
    const before = installStamp(folder)
    writeFileSync(join(folder, path), '{"name":"changed"}')
    expect(installStamp(folder)).not.toBe(before)
  })

  it('changes when a package goes', () => {
    const folder = scratchFolder(files)
    const before = installStamp(folder)
    rmSync(join(folder, 'packages/iam'), { recursive: true })
    expect(installStamp(folder)).not.toBe(before)
  })
})
