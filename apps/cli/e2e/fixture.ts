import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const bundle = fileURLToPath(new URL('../dist/kmsctl.mjs', import.meta.url))
const server = fileURLToPath(new URL('../../server/dist/kms-server.mjs', import.meta.url))

export interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A server on a free port, a folder for everything, and the program set up for it. */
export interface Fixture {
  readonly folder: string
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  kmsctl(
    args: readonly string[],
    more?: { readonly env?: Readonly<Record<string, string>>; readonly stdin?: string },
  ): Promise<Run>
  /** The reply as JSON; fails when the program did. */
  json(...args: string[]): Promise<Record<string, unknown>>
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kmsctl-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function run(args: readonly string[], env: Readonly<Record<string, string>>, stdin = ''): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [bundle, ...args],
      { env: { PATH: process.env['PATH'] ?? '', ...env } },
      (error, out, err) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, out, err }),
    )
    child.stdin?.end(stdin)
  })
}

async function startServer(folder: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const child = spawn(process.execPath, [server], {
    env: { PATH: process.env['PATH'] ?? '', KMS_LISTEN: '127.0.0.1:0', KMS_DATA_DIR: join(folder, 'data'), ...more },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  let said = ''
  return new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const url = /listening on (\S+)\n/.exec(said)?.[1]
      if (url !== undefined) resolve(url)
    })
    child.once('exit', () => reject(new Error(`the server ended: ${said}`)))
  })
}

export async function createFixture(more: Readonly<Record<string, string>> = {}): Promise<Fixture> {
  const folder = temporaryFolder()
  const url = await startServer(folder, more)
  const env = {
    HOME: folder,
    KMSCTL_ENDPOINT: url,
    KMSCTL_ACCESS_KEY: 'admin',
    KMSCTL_SECRET_KEY: 'admin',
  }
  const kmsctl: Fixture['kmsctl'] = (args, options = {}) => run(args, { ...env, ...options.env }, options.stdin)
  return {
    folder,
    url,
    env,
    kmsctl,
    async json(...args) {
      const { code, out, err } = await kmsctl(['--json', ...args])
      if (code !== 0) throw new Error(`kmsctl ${args.join(' ')}: ${code} ${err}`)
      return JSON.parse(out) as Record<string, unknown>
    },
  }
}
