import { Buffer } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { kmsError } from '@kms/core'
import { headerOf, type ReceivedRequest } from './received-request.ts'

const NOTHING = Buffer.alloc(0)

/**
 * Reads a body of at most `limit` bytes, counting them as they arrive: what a client announces is only good for refusing
 * it early. Throws `EntityTooLarge`, and `InvalidRequest` when the client goes away in the middle.
 */
export function readBody(request: ReceivedRequest, limit: number): Promise<Buffer> {
  const announced = headerOf(request, 'content-length')
  if (announced !== undefined && Number(announced) > limit) return Promise.reject(tooLarge(limit))
  const { body } = request
  if (body === null) return Promise.resolve(NOTHING)
  if (body instanceof ReadableStream) return readStream(body, limit)
  const hasBody = announced !== undefined || headerOf(request, 'transfer-encoding') !== undefined
  return hasBody ? readIncoming(body, limit) : Promise.resolve(NOTHING)
}

function readIncoming(incoming: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size <= limit) {
        chunks.push(chunk)
        return
      }
      detach()
      incoming.pause()
      reject(tooLarge(limit))
    }
    const onEnd = (): void => {
      detach()
      resolve(join(chunks, size))
    }
    const onBroken = (): void => {
      detach()
      reject(broken())
    }
    const detach = (): void => {
      incoming.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
    }
    // The events of a stream that is already closed are past.
    if (incoming.destroyed) {
      reject(broken())
      return
    }
    incoming.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  })
}

async function readStream(stream: ReadableStream<Uint8Array>, limit: number): Promise<Buffer> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw broken()
    })
    if (done) return join(chunks, size)
    size += value.length
    if (size > limit) {
      reader.cancel().catch(() => {})
      throw tooLarge(limit)
    }
    chunks.push(value)
  }
}

function join(chunks: readonly Uint8Array[], size: number): Buffer {
  const [first] = chunks
  return chunks.length === 1 && first instanceof Buffer ? first : Buffer.concat(chunks, size)
}

function tooLarge(limit: number): Error {
  return kmsError('EntityTooLarge', { limit })
}

/** That a client went away in the middle of its body. */
export function broken(cause?: unknown): Error {
  const reason = 'The body ended before it was complete. Send the request again.'
  return kmsError('InvalidRequest', { reason }, { cause })
}
