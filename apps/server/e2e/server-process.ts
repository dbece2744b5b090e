import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { checkOutput, plantEnvironment } from './log-check.ts'

/** The built server. */
export const bundle: string = fileURLToPath(new URL('../dist/kms-server.mjs', import.meta.url))

export type Environment = Readonly<Record<string, string>>

export interface LaunchOptions {
  readonly env?: Environment
  readonly args?: readonly string[]
  readonly cwd?: string
  /** Another program than the bundle, for this Node. */
  readonly script?: string
  /** Shell commands run first, in a mount namespace the server keeps to itself: what they mount ends with it. */
  readonly mounts?: string
}

/** Called when the test, or the suite, is over. */
export type Cleanup = (work: () => Promise<void> | void) => void

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process of the server, whether it listens or not. */
export interface Launched {
  readonly pid: number
  readonly exited: Promise<Exit>
  stdout(): string
  stderr(): string
  /** Resolves when standard output or error holds `text`; rejects when the process ends before. */
  until(text: string): Promise<void>
  kill(signal: NodeJS.Signals): void
}

export interface ServerProcess extends Launched {
  readonly url: string
  readonly port: number
  /** Ends it in good order. */
  stop(): Promise<Exit>
}

/** Nothing of the environment of the tests reaches the server. */
const CLEAN: Environment = { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), LANG: 'C.UTF-8' }

export function launch({ env = {}, args = [], cwd = tmpdir(), script = bundle, mounts }: LaunchOptions = {}): Launched {
  plantEnvironment(env)
  const command = [process.execPath, script, ...args]
  const inNamespace = ['unshare', '--mount', 'sh', '-euc', `${mounts}; exec "$@"`, 'sh', ...command]
  const [program = '', ...rest] = mounts === undefined ? command : inNamespace
  const child: ChildProcess = spawn(program, rest, {
    cwd,
    env: { ...CLEAN, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  const watchers = new Set<() => void>()
  const notify = (): void => {
    for (const watcher of watchers) watcher()
  }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      notify()
    })
  }
  let ended = false
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      ended = true
      checkOutput(output)
      notify()
      resolve({ code, signal })
    })
  })
  return {
    pid: child.pid as number,
    exited,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = output.stdout.includes(text) || output.stderr.includes(text)
          if (!found && !ended) return
          watchers.delete(look)
          if (found) resolve()
          else reject(new Error(`the server ended without saying "${text}":\n${output.stdout}${output.stderr}`))
        }
        watchers.add(look)
        look()
      }),
    kill: (signal) => void child.kill(signal),
  }
}

/** Starts a server on a free port of loopback and waits until it listens; it is ended when the test is over. */
export async function startServer(
  { env = {}, ...options }: LaunchOptions = {},
  cleanup: Cleanup = onTestFinished,
): Promise<ServerProcess> {
  // At debug, so that every line there is gets looked at.
  const launched = launch({ ...options, env: { KMS_LISTEN: '127.0.0.1:0', KMS_LOG_LEVEL: 'debug', ...env } })
  cleanup(async () => {
    launched.kill('SIGKILL')
    await launched.exited
  })
  await launched.until('\n  status ')
  const match = /listening on (https?:\/\/[^\s]+:(\d+))\n/.exec(launched.stdout())
  if (match === null) throw new Error(`no address in: ${launched.stdout()}`)
  return {
    ...launched,
    url: match[1] as string,
    port: Number(match[2]),
    stop() {
      launched.kill('SIGTERM')
      return launched.exited
    },
  }
}

/** An empty folder that is removed when the test is over. */
export function temporaryFolder(cleanup: Cleanup = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'kms-e2e-'))
  cleanup(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
