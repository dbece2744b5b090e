import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installOnce } from './install-once.ts'

export type PythonTools =
  | {
      /** Folder of the programs, `python` among them. */
      readonly bin: string
    }
  /** Why there are none. */
  | { readonly missing: string }

/** Packages of PyPI (`name==version`), installed once into a virtual environment of that name under the user's cache. */
export function findPythonTools(name: string, requirements: readonly string[]): PythonTools {
  try {
    const place = installOnce(name, (folder) => install(folder, requirements))
    return { bin: join(place, 'bin') }
  } catch (error) {
    return { missing: (error as Error).message.slice(0, 400) }
  }
}

function install(folder: string, requirements: readonly string[]): void {
  try {
    execFileSync('python3', ['-m', 'venv', '--help'], { stdio: 'ignore' })
  } catch {
    throw new Error('Python 3 with venv is not installed')
  }
  try {
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'pipe' })
    const pip = ['-m', 'pip', 'install', '--quiet', ...requirements]
    execFileSync(join(folder, 'bin', 'python'), pip, { stdio: 'pipe' })
  } catch (error) {
    const what = requirements.join(' and ')
    throw new Error(`${what} could not be installed from PyPI: ${(error as Error).message}`, { cause: error })
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
