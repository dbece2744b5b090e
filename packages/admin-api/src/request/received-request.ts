import type { IncomingMessage } from 'node:http'
import type { RawRequest } from '@kms/sigv4'
import type { Context } from 'hono'

/** A request as it came over the wire; nothing of it is decoded. */
export interface ReceivedRequest extends RawRequest {
  /** `rawTarget` before its first `?`. */
  readonly rawPath: string
  /** `rawTarget` after its first `?`; empty when there is none. */
  readonly rawQuery: string
  /** Node's request, when there is one: the body is then read from it. */
  readonly incoming: IncomingMessage | undefined
}

/**
 * Takes a request from Node's own object where the server put it into the bindings (`@hono/node-server` does), else
 * from the `Request`, whose URL has been normalised: good for tests, not for clients that sign unusual targets.
 */
export function receiveRequest(c: Context): ReceivedRequest {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: IncomingMessage }
  if (incoming !== undefined) {
    return split(incoming.method ?? 'GET', incoming.url ?? '/', incoming.rawHeaders, incoming)
  }
  const { method, url, headers } = c.req.raw
  const { host, pathname, search } = new URL(url)
  const rawHeaders = [...headers].flat()
  if (!headers.has('host')) rawHeaders.push('host', host)
  return split(method, pathname + search, rawHeaders, undefined)
}

/** The first value of a header; `name` in lower case. */
export function headerOf(request: RawRequest, name: string): string | undefined {
  const { rawHeaders } = request
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index] as string
    if (candidate.length === name.length && candidate.toLowerCase() === name) return rawHeaders[index + 1]
  }
  return undefined
}

function split(
  method: string,
  rawTarget: string,
  rawHeaders: readonly string[],
  incoming: IncomingMessage | undefined,
): ReceivedRequest {
  const mark = rawTarget.indexOf('?')
  return {
    method,
    rawTarget,
    rawHeaders,
    rawPath: mark < 0 ? rawTarget : rawTarget.slice(0, mark),
    rawQuery: mark < 0 ? '' : rawTarget.slice(mark + 1),
    incoming,
  }
}
