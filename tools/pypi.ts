import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export type PythonTools =
  | {
      /** Folder of the programs, `python` among them. */
      readonly bin: string
    }
  /** Why there are none. */
  | { readonly missing: string }

/** Packages of PyPI (`name==version`), installed once into a virtual environment of that name under the user's cache. */
export function findPythonTools(name: string, requirements: readonly string[]): PythonTools {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kms')
  const place = join(cache, name)
  const bin = join(place, 'bin')
  // Written last: an installation that was interrupted is made again.
  const complete = join(place, 'complete')
  if (existsSync(complete)) return { bin }
  try {
    execFileSync('python3', ['-m', 'venv', '--help'], { stdio: 'ignore' })
  } catch {
    return { missing: 'Python 3 with venv is not installed' }
  }
  try {
    rmSync(place, { recursive: true, force: true })
    mkdirSync(cache, { recursive: true })
    execFileSync('python3', ['-m', 'venv', place], { stdio: 'pipe' })
    execFileSync(join(bin, 'python'), ['-m', 'pip', 'install', '--quiet', ...requirements], { stdio: 'pipe' })
    writeFileSync(complete, '')
    return { bin }
  } catch (error) {
    const what = requirements.join(' and ')
    return { missing: `${what} could not be installed from PyPI: ${(error as Error).message.slice(0, 300)}` }
  }
}

/** The programs' folder; without them the test is skipped, or fails where everything must be there. */
export function requireTools(tools: PythonTools, skip: (reason: string) => never): string {
  if ('bin' in tools) return tools.bin
  if (!inCi()) return skip(tools.missing)
  throw new Error(tools.missing)
}

/** Whether this is a place where everything must be there. */
export function inCi(): boolean {
  return !['', '0', 'false', undefined].includes(process.env['CI'])
}

const run = promisify(execFile)

/** Runs a command line as a shell would, in an environment of its own, and returns what it printed. */
export async function shell(
  command: string,
  path: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', command], {
    env: { PATH: `${path}:${process.env['PATH'] ?? ''}`, HOME: '/nonexistent', LANG: 'C.UTF-8', ...environment },
  })
  return stdout
}
