import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { installOnce } from './install-once.ts'
import { inCi } from './pypi.ts'

/**
 * A program of a Debian package: the one on PATH, or else the package's own, downloaded with apt and unpacked into the user's
 * cache; nothing is installed. Skips the test where neither can be had, and fails where everything must be there.
 */
export function requireDebianTool(program: string, from: string, skip: (reason: string) => never): string {
  const found = find(program, from)
  if ('path' in found) return found.path
  if (!inCi()) return skip(found.missing)
  throw new Error(found.missing)
}

function find(program: string, from: string): { readonly path: string } | { readonly missing: string } {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    if (folder !== '' && existsSync(join(folder, program))) return { path: join(folder, program) }
  }
  try {
    const place = installOnce(`debian-${from}`, (folder) => unpack(from, folder))
    return { path: join(place, 'usr', 'bin', program) }
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0]?.slice(0, 200)
    return { missing: `${program} is not on PATH, and Debian's package ${from} cannot be had: ${reason}` }
  }
}

function unpack(from: string, folder: string): void {
  mkdirSync(folder)
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: folder, stdio: 'pipe' })
  // Without root the lists can't be renewed, and are as new as the system keeps them.
  if (process.getuid?.() === 0) run('apt-get', 'update')
  run('apt-get', 'download', from)
  run('dpkg', '-x', readdirSync(folder).find((name) => name.endsWith('.deb')) ?? '', '.')
}
