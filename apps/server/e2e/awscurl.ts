import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The release the playbook is driven with. */
const VERSION = '0.44'

export type Awscurl =
  | { readonly path: string }
  /** Why there is none. */
  | { readonly missing: string }

/** The real awscurl, installed once from PyPI into a virtual environment under the user's cache. */
export function findAwscurl(): Awscurl {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kms')
  const place = join(cache, `awscurl-${VERSION}`)
  const path = join(place, 'bin', 'awscurl')
  // Written last: an installation that was interrupted is made again.
  const complete = join(place, 'complete')
  if (existsSync(complete)) return { path }
  try {
    execFileSync('python3', ['-m', 'venv', '--help'], { stdio: 'ignore' })
  } catch {
    return { missing: 'Python 3 with venv is not installed' }
  }
  try {
    rmSync(place, { recursive: true, force: true })
    mkdirSync(cache, { recursive: true })
    execFileSync('python3', ['-m', 'venv', place], { stdio: 'pipe' })
    execFileSync(join(place, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', `awscurl==${VERSION}`], {
      stdio: 'pipe',
    })
    writeFileSync(complete, '')
    return { path }
  } catch (error) {
    return { missing: `awscurl ${VERSION} could not be installed from PyPI: ${(error as Error).message.slice(0, 300)}` }
  }
}

const run = promisify(execFile)

/** Runs a command line as a shell would, in an environment of its own, and returns what it printed. */
export async function shell(command: string, path: string): Promise<string> {
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', command], {
    env: { PATH: `${path}:${process.env['PATH'] ?? ''}`, HOME: '/nonexistent', LANG: 'C.UTF-8' },
  })
  return stdout
}
