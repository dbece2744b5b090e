import { Buffer } from 'node:buffer'

/** A body that is made while it is sent. `cancel` is called in the end, whether it was read to its own or not. */
export interface BodyStream {
  readonly length: number
  /** All that is ready, in order; nothing when it has ended. Not to be called again before it has answered. */
  next(): Promise<readonly Uint8Array[] | undefined>
  cancel(): Promise<void>
}

/** A reply, whatever sends it. */
export interface Answer {
  readonly status: number
  /** Name, value, name, value… */
  readonly headers: readonly string[]
  /** Absent: none, and no length is said (204, 304, HEAD). */
  readonly body?: Uint8Array | BodyStream
  /**
   * Told when the reply has ended, however: how many bytes of the body were handed over, and why it broke off, where that was not
   * the client's doing. Must not throw.
   */
  readonly onEnd?: (sentBytes: number, error?: unknown) => void
}

/** What an operation has to say. */
export interface Reply {
  readonly status?: number
  readonly headers?: readonly (readonly [name: string, value: string | undefined])[]
  /** XML, or other text whose type is among the headers. */
  readonly text?: string
  /** Content of an object, whose type is among the headers. */
  readonly bytes?: Uint8Array | undefined
  readonly stream?: BodyStream | undefined
}

/** Makes an answer; `head` leaves the body out but says its length. */
export function answerOf(
  requestId: string,
  { status = 200, headers = [], text, bytes, stream }: Reply,
  head: boolean,
): Answer {
  const list = ['x-amz-request-id', requestId, 'x-amz-id-2', requestId]
  let typed = false
  for (const [name, value] of headers) {
    if (value === undefined) continue
    list.push(name, value)
    typed ||= name === 'content-type'
  }
  const content = bytes ?? stream
  if (content !== undefined) {
    list.push('content-length', String(content.length))
    return head ? { status, headers: list } : { status, headers: list, body: content }
  }
  if (text === undefined) {
    if (status !== 204 && status !== 304 && !list.includes('content-length')) list.push('content-length', '0')
    return { status, headers: list }
  }
  const body = Buffer.from(text)
  if (!typed) list.push('content-type', 'application/xml')
  list.push('content-length', String(body.length))
  return head ? { status, headers: list } : { status, headers: list, body }
}

/** For hosts of Fetch. */
export function toResponse({ status, headers, body, onEnd }: Answer): Response {
  const map = new Headers()
  for (let index = 0; index < headers.length; index += 2)
    map.append(headers[index] as string, headers[index + 1] as string)
  if (body === undefined || body instanceof Uint8Array) {
    onEnd?.(body?.length ?? 0)
    return new Response(body ?? null, { status, headers: map })
  }
  let sent = 0
  const end = async (error?: unknown): Promise<void> => {
    await body.cancel()
    onEnd?.(sent, error)
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const pieces = await body.next()
          if (pieces !== undefined) {
            for (const piece of pieces) {
              sent += piece.length
              controller.enqueue(piece)
            }
            return
          }
        } catch (error) {
          await end(error)
          throw error
        }
        controller.close()
        await end()
      },
      cancel: () => end(),
    },
    { highWaterMark: 0 },
  )
  return new Response(stream, { status, headers: map })
}
