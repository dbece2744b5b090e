import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { requireOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { freePort } from '../../../tools/openbao/free-port.ts'
import { findPythonTools, requireTools } from '../../../tools/pypi.ts'
import { findAwscurl } from './awscurl.ts'
import { type Launched, launch, temporaryFolder } from './server-process.ts'
import { openTerminal, type Terminal } from './terminal.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const POLICY = 'packages/backend-vault/policies/kms.hcl'

/** Somebody who has a checkout, follows a document, and types what it says. */
export interface Reader {
  /** In the place of the checkout. */
  readonly folder: string
  /** Where the server listens. */
  readonly url: string
  readonly terminal: Terminal
  /** A text of a document, with the folder and the ports of this test. */
  here(text: string): string
  /** Types `npm start`, after Ctrl-C where a server runs; returns what it says. */
  npmStart(): Promise<string>
  /** Types what starts the Vault of development that the documents use, in a terminal of its own. */
  startVault(block: string): Promise<void>
}

/**
 * The real tools, found or installed as the other suites do instead of in a virtual environment of the reader's; without
 * them the test is skipped. `npm start` starts the bundle, as it would after building it, without any setting but the port.
 */
export async function createReader(skip: (reason: string) => never): Promise<Reader> {
  const awscurl = requireTools(findAwscurl(), skip)
  const aws = requireTools(findPythonTools('aws-clients-1.46.3', ['awscli==1.46.3', 'boto3==1.44.5']), skip)
  const program = requireOpenBao(skip)
  const folder = temporaryFolder()
  const [port, vaultPort] = [await freePort(), await freePort()]
  const tools = join(folder, '.kms', 'tools')
  mkdirSync(tools, { recursive: true })
  symlinkSync(program, join(tools, 'bao'))
  cpSync(join(root, POLICY), join(folder, POLICY))
  const env = { PATH: [tools, awscurl, aws, process.env['PATH']].join(':'), HOME: folder, LANG: 'C.UTF-8' }
  let server: Launched | undefined
  onTestFinished(async () => {
    server?.kill('SIGKILL')
    await server?.exited
  })
  return {
    folder,
    url: `http://localhost:${port}`,
    terminal: openTerminal({ cwd: folder, env }),
    here: (text) =>
      text
        .replaceAll('/home/ann/kms', folder)
        .replaceAll('localhost:9000', `localhost:${port}`)
        .replaceAll('127.0.0.1:8200', `127.0.0.1:${vaultPort}`),
    async npmStart() {
      server?.kill('SIGINT')
      await server?.exited
      server = launch({ cwd: folder, env: { KMS_LISTEN: `127.0.0.1:${port}` } })
      await server.until('\n  status ')
      return server.stdout()
    },
    startVault: (block) => openTerminal({ cwd: folder, env }).typeUntil(block, 'Root Token: root'),
  }
}

/** A document of the repository. */
export function readDocument(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}
