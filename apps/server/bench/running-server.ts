import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { signRequest } from '@kms/sigv4'

export interface RunningServer {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

const CREDENTIALS = { accessKeyId: 'admin', secretAccessKey: 'admin' }

/** Starts a program that says where it listens. */
export async function runServer(script: string, env: Readonly<Record<string, string>>): Promise<RunningServer> {
  const child: ChildProcess = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  const port = await new Promise<number>((resolve, reject) => {
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part
      const match = /listening on http:\/\/[^\s:]+:(\d+)/.exec(text)
      if (match !== null) resolve(Number(match[1]))
    })
    child.once('exit', () => reject(new Error(`${script} ended: ${text}`)))
  })
  return {
    pid: child.pid as number,
    port,
    stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}

export interface SignedCall {
  readonly url: string
  readonly text: string
  readonly headers: Record<string, string>
}

/** A signed call of the admin API, ready to send. */
export function signedCall(port: number, path: string, body: object): SignedCall {
  const url = `http://127.0.0.1:${port}/rustfs/admin/v3/kms/${path}`
  const text = JSON.stringify(body)
  const headers = signRequest({
    method: 'POST',
    url,
    body: text,
    credentials: CREDENTIALS,
    region: 'us-east-1',
    service: 's3',
  })
  return { url, text, headers }
}

/** Calls the admin API. Throws unless it answers 200. */
export async function post(port: number, path: string, body: object): Promise<Record<string, unknown>> {
  const { url, text, headers } = signedCall(port, path, body)
  const reply = await fetch(url, { method: 'POST', body: text, headers })
  if (reply.status !== 200) throw new Error(await reply.text())
  return (await reply.json()) as Record<string, unknown>
}

/** User and system time of a process, in hundredths of a second: fields 14 and 15 of `/proc/<pid>/stat`. */
export function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
