import { connect, type Socket } from 'node:net'

export interface LoadOptions {
  readonly port: number
  /** Whole requests, sent in turn, starting over at the end. */
  readonly requests: readonly Buffer[]
  readonly count: number
  readonly connections: number
}

export interface LoadResult {
  readonly perSecond: number
  /** In milliseconds. */
  readonly p99: number
}

/**
 * Sends `count` requests over keep-alive connections, each as soon as the reply before it is complete, and fails on any
 * reply but 200. It does next to nothing with replies, so that the server, not this, is what is measured.
 */
export async function runLoad({ port, requests, count, connections }: LoadOptions): Promise<LoadResult> {
  const latencies = new Float64Array(count)
  let sent = 0
  let done = 0
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)))
  const startedAt = performance.now()
  const driven = Promise.all(sockets.map((socket) => drive(socket))).finally(() => {
    done = count
  })
  stayAwake()
  await driven
  const seconds = (performance.now() - startedAt) / 1000
  for (const socket of sockets) socket.destroy()
  latencies.sort()
  return { perSecond: count / seconds, p99: latencies[Math.floor(count * 0.99)] as number }

  /**
   * Polls instead of sleeping. Waking a sleeper costs the server that replies to it tens of microseconds on a virtual
   * machine, and only the slower of two servers would pay: the faster one's replies find this process busy.
   */
  function stayAwake(): void {
    if (done < count) setImmediate(stayAwake)
  }

  function drive(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      let sentAt = 0
      let text = ''
      const next = (): void => {
        if (sent >= count) {
          resolve()
          return
        }
        sentAt = performance.now()
        socket.write(requests[sent % requests.length] as Buffer)
        sent += 1
      }
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('the server closed a connection')))
      socket.setEncoding('latin1').on('data', (part: string) => {
        text += part
        const end = replyEnd(text)
        if (end === undefined || text.length < end) return
        if (!text.startsWith('HTTP/1.1 200')) {
          reject(new Error(text))
          return
        }
        text = text.slice(end)
        latencies[done] = performance.now() - sentAt
        done += 1
        next()
      })
      next()
    })
  }
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Where the reply ends, once its head is there. */
function replyEnd(text: string): number | undefined {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return undefined
  const length = /content-length: (\d+)/i.exec(text.slice(0, head))
  if (length === null) throw new Error(`a reply without length: ${text.slice(0, head)}`)
  return head + 4 + Number(length[1])
}
