import { Buffer } from 'node:buffer'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { VaultAddress } from '../config/vault-address.ts'
import type { VaultPolicy } from '../config/vault-policy.ts'
import { createPinnedLookup, type Resolve } from './pinned-lookup.ts'
import { describeSocketError, isTransportFailure, transportFailure } from './transport-failure.ts'

/** One request over one connection; no redirect is followed. */
export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly signal: AbortSignal
  /** On a connection of its own: one from the pool may turn out to be closed after the request was written. */
  readonly fresh: boolean
}

export interface HttpReply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

export interface HttpSender {
  /** Throws a `TransportFailure`, and nothing else. */
  send(request: HttpRequest): Promise<HttpReply>
  /** Further connections go to the next address of the host first, and those that are idle are given up. */
  rotate(): void
  close(): void
}

export interface TlsOptions {
  readonly secureContext: SecureContext
  readonly serverName: string | undefined
  readonly verify: boolean
}

export interface HttpSenderOptions {
  readonly protocol: VaultAddress['protocol']
  readonly policy: VaultPolicy
  readonly resolve: Resolve
  /** Only with https. */
  readonly tls: TlsOptions | undefined
}

/** Vault's own limit for requests; its answers to ours are shorter. */
const MAX_REPLY_BYTES = 32 * 1024 * 1024
const MAX_IDLE_SOCKETS = 64

export function createHttpSender({ protocol, policy, resolve, tls }: HttpSenderOptions): HttpSender {
  let shift = 0
  const lookup = createPinnedLookup({ protocol, policy, resolve, shift: () => shift })
  let agents = createAgents()

  function createAgents() {
    const shared = { lookup, maxFreeSockets: MAX_IDLE_SOCKETS }
    const secured =
      tls === undefined
        ? undefined
        : {
            ...shared,
            secureContext: tls.secureContext,
            rejectUnauthorized: tls.verify,
            ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
          }
    const make = (keepAlive: boolean) =>
      secured === undefined ? new HttpAgent({ ...shared, keepAlive }) : new HttpsAgent({ ...secured, keepAlive })
    return { pooled: make(true), fresh: make(false) }
  }

  return {
    send({ method, url, headers, body, signal, fresh }) {
      return new Promise((resolveReply, reject) => {
        let reached = false
        const fail = (error: unknown): void => {
          reject(isTransportFailure(error) ? error : describeSocketError(error, reached))
        }
        const agent = fresh ? agents.fresh : agents.pooled
        const start = protocol === 'https:' ? httpsRequest : httpRequest
        const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
        const request = start(url, { method, agent, signal, headers: { ...headers, ...length } }, (response) => {
          readText(response).then(
            (text) => resolveReply({ status: response.statusCode ?? 0, headers: response.headers, text }),
            fail,
          )
        })
        request.once('socket', (socket: Socket) => {
          if (!socket.connecting) reached = true
          else
            socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => {
              reached = true
            })
        })
        request.on('error', fail)
        request.end(body)
      })
    },

    rotate() {
      shift += 1
      const { pooled } = agents
      agents = createAgents()
      // What is under way finishes on its connection, which is then closed.
      pooled.maxFreeSockets = 0
      for (const sockets of Object.values(pooled.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
    },

    close() {
      agents.pooled.destroy()
      agents.fresh.destroy()
    },
  }
}

function readText(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
      chunks.push(chunk)
      if (size <= MAX_REPLY_BYTES) return
      reject(transportFailure('its answer is too long', { reached: true, passing: false }))
      response.destroy()
    })
    response.on('end', () => resolve(Buffer.concat(chunks, size).toString('utf8')))
    response.on('error', reject)
  })
}
