import { connect, createServer, type Socket } from 'node:net'

/** What the proxy does to connections. */
export type ProxyMode =
  /** Bytes pass. */
  | 'pass'
  /** Nothing passes any more, in either direction, and nothing is closed: a network that swallows packets. */
  | 'stall'
  /** What was connected is reset, and new connections are reset when they are made. */
  | 'reset'
  /** The next answer is cut off after its first bytes, and the connection reset; then bytes pass again. */
  | 'cut answer'
  /** The next request arrives whole, and the connection is reset before its answer; then bytes pass again. */
  | 'lose answer'

/** A TCP proxy on loopback that can break what passes through it. */
export interface TcpProxy {
  readonly port: number
  mode: ProxyMode
  /** Milliseconds every chunk of an answer is held back. */
  delay: number
  /** How many connections were made. */
  readonly connections: number
  close(): Promise<void>
}

export interface TcpProxyOptions {
  /** Where to connect to; called for each connection. */
  readonly target: () => { readonly host: string; readonly port: number }
  readonly host?: string
}

/** How much of an answer gets through when it is cut: some of a TLS record, not all of an HTTP reply. */
const CUT_BYTES = 40

export async function startTcpProxy({ target, host = '127.0.0.1' }: TcpProxyOptions): Promise<TcpProxy> {
  const open = new Set<Socket>()
  let mode: ProxyMode = 'pass'
  let connections = 0

  function track(socket: Socket): Socket {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    // What breaks here is broken on purpose.
    socket.on('error', () => {})
    return socket
  }

  const server = createServer((client) => {
    connections += 1
    track(client)
    if (mode === 'reset') return void client.resetAndDestroy()
    const upstream = track(connect(target()))
    const reset = (): void => {
      client.resetAndDestroy()
      upstream.destroy()
    }
    client.on('data', (chunk: Buffer) => {
      if (mode !== 'stall') upstream.write(chunk)
    })
    upstream.on('data', (chunk: Buffer) => {
      if (mode === 'stall') return
      if (mode === 'lose answer' || mode === 'cut answer') {
        if (mode === 'cut answer') client.write(chunk.subarray(0, CUT_BYTES))
        mode = 'pass'
        return reset()
      }
      if (proxy.delay === 0) client.write(chunk)
      else setTimeout(() => client.write(chunk), proxy.delay)
    })
    client.on('end', () => upstream.end())
    upstream.on('end', () => client.end())
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
  const { port } = server.address() as { port: number }

  const proxy: TcpProxy = {
    port,
    delay: 0,
    get mode() {
      return mode
    },
    set mode(next) {
      mode = next
      if (next === 'reset') for (const socket of open) socket.resetAndDestroy()
    },
    get connections() {
      return connections
    },
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
