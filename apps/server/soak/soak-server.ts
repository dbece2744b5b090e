import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A server under load. */
export interface SoakServer {
  readonly pid: number
  readonly url: string
  /** How often an event was logged. */
  events(name: string): number
  /** The last lines of its log, for when something went wrong. */
  tail(): string
  /** Ends it in good order; rejects when it does not. */
  stop(): Promise<void>
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>
}

/** Starts the built server on a free port of loopback. */
export async function startSoakServer(
  script: string,
  environment: Readonly<Record<string, string>>,
): Promise<SoakServer> {
  const child = spawn(process.execPath, [script], {
    env: { PATH: process.env['PATH'] ?? '', KMS_LISTEN: '127.0.0.1:0', KMS_LOG_FORMAT: 'json', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const counts = new Map<string, number>()
  const lines: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (lines.length > 200) lines.shift()
    const event = /"event":"(\w+)"/.exec(line)?.[1]
    if (event !== undefined) counts.set(event, (counts.get(event) ?? 0) + 1)
  })
  const tail = (): string => lines.join('\n')
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  const end = (): void => void child.kill('SIGKILL')
  process.once('exit', end)
  void closed.then(() => process.off('exit', end))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listening on (http:\/\/\S+)$/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
    void closed.then((code) => reject(new Error(`the server ended (${code}):\n${tail()}`)))
  })
  return {
    pid: child.pid as number,
    url,
    events: (name) => counts.get(name) ?? 0,
    tail,
    async stop() {
      child.kill('SIGTERM')
      const code = await closed
      if (code !== 0) throw new Error(`the server ended with ${code}:\n${tail()}`)
    },
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
  }
}
