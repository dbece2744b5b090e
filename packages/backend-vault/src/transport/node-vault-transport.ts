import type { PeerTelemetry } from '@kms/core'
import nodeVault from 'node-vault'
import type { VaultAddress } from '../config/vault-address.ts'
import type { VaultPolicy } from '../config/vault-policy.ts'
import type { HttpReply, HttpSender } from './http-sender.ts'
import { followStandby } from './standby-redirect.ts'
import { laterIndex } from './storage-index.ts'
import { isTransportFailure, transportFailure } from './transport-failure.ts'
import { encodeVaultPath } from './vault-path.ts'
import type { VaultReply, VaultTransport } from './vault-transport.ts'

export interface NodeVaultTransportOptions {
  readonly address: VaultAddress
  readonly namespace: string | undefined
  readonly policy: VaultPolicy
  readonly sender: HttpSender
  readonly peer: PeerTelemetry | undefined
}

/** What node-vault hands to its request function: what `client.request` was given, and the address it made of it. */
interface NodeVaultRequest {
  readonly method: string
  readonly uri: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly fresh: boolean
  readonly signal: AbortSignal
}

const MAX_REDIRECTS = 2

/**
 * {@link VaultTransport} over node-vault, which keeps the address, the version and the headers of a call together. What it
 * does besides is kept from it: our request function replaces its HTTP client, so that no redirect is followed unasked, no
 * option is lost and no error carries the request; nothing is read from the environment, debug output goes nowhere, and
 * statuses are ours to judge.
 */
export function createNodeVaultTransport(options: NodeVaultTransportOptions): VaultTransport {
  const { address, namespace, sender, peer } = options
  const client = nodeVault({
    apiVersion: 'v1',
    endpoint: address.origin,
    debug: () => {},
    'request-promise': { defaults: () => exchange },
  })
  // Where it was given nothing it took VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX: ours travel with each call.
  Object.assign(client, { endpoint: address.origin, token: '', namespace: '', pathPrefix: '' })
  // What a node wrote must be seen by the next one that is asked (OpenBao, "Eventual consistency").
  let index: string | undefined

  async function exchange({ method, uri, headers, body, fresh, signal }: NodeVaultRequest) {
    let url = uri
    for (let hops = 0; ; hops++) {
      const reply = await sender.send({ method, url, headers, body, fresh, signal })
      if (reply.status !== 307 && reply.status !== 308) return { statusCode: 200, body: reply }
      if (hops === MAX_REDIRECTS) throw transportFailure('its nodes redirect in a circle', { reached: true })
      url = followStandby(url, reply.headers.location, options)
    }
  }

  return {
    async send(call, { token, signal }) {
      const { method, path, body, rootNamespace, once } = call
      const list = method === 'LIST'
      const query = new URLSearchParams({ ...call.query, ...(list ? { list: 'true' } : {}) }).toString()
      const request = {
        method: list ? 'GET' : method,
        path: `/${encodeVaultPath(path)}${query === '' ? '' : `?${query}`}`,
        // Made anew for each call: node-vault writes into it.
        headers: {
          ...peer?.headers(),
          accept: 'application/json',
          'x-vault-request': 'true',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { 'x-vault-token': token }),
          ...(namespace === undefined || rootNamespace ? {} : { 'x-vault-namespace': namespace }),
          ...(index === undefined ? {} : { 'x-vault-index': index, 'x-vault-inconsistent': 'forward-active-node' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        fresh: once === true,
        signal,
      }
      let reply: HttpReply
      try {
        reply = (await client.request(request)) as HttpReply
      } catch (error) {
        if (isTransportFailure(error)) throw error
        throw transportFailure('the request could not be made', { reached: false, passing: false })
      }
      const seen = reply.headers['x-vault-index']
      if (typeof seen === 'string' && seen !== '') index = laterIndex(index, seen)
      return readReply(reply)
    },
    rotate: () => sender.rotate(),
    close: () => sender.close(),
  }
}

function readReply({ status, headers, text }: HttpReply): VaultReply {
  const body = parseObject(text)
  const { errors } = body
  const seconds = Number(headers['retry-after'])
  const date = Date.parse(headers.date ?? '')
  return {
    status,
    body,
    errors: Array.isArray(errors) ? errors.filter((each) => typeof each === 'string') : [],
    ...(headers['retry-after'] !== undefined && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {}),
    ...(Number.isNaN(date) ? {} : { date }),
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>
  } catch {
    // A proxy's page: the status says all there is to say.
  }
  return {}
}
