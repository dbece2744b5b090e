import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readBody } from './read-body.ts'
import type { ReceivedRequest } from './received-request.ts'

const LIMIT = 10

function received(body: PassThrough | ReadableStream | null, ...rawHeaders: string[]): ReceivedRequest {
  return {
    method: 'POST',
    rawTarget: '/',
    rawPath: '/',
    rawQuery: '',
    rawHeaders,
    peer: { secure: false },
    body: body as ReceivedRequest['body'],
  }
}

const chunked = ['Transfer-Encoding', 'chunked']
const refused = (code: string): unknown => expect.objectContaining({ code })

function web(chunks: readonly string[], error?: Error): ReadableStream<Uint8Array> {
  const left = [...chunks]
  return new ReadableStream({
    pull(controller) {
      const chunk = left.shift()
      if (chunk !== undefined) controller.enqueue(new TextEncoder().encode(chunk))
      else if (error !== undefined) controller.error(error)
      else controller.close()
    },
  })
}

describe.each([
  ['in one piece', (text: string) => [text]],
  ['byte by byte', (text: string) => text.split('')],
] as const)('%s', (_, cut) => {
  it.each(['a', '0123456789'])('reads %j from Node', async (text) => {
    const incoming = new PassThrough()
    const body = readBody(received(incoming, ...chunked), LIMIT)
    for (const chunk of cut(text)) incoming.write(chunk)
    incoming.end()
    expect((await body).toString()).toBe(text)
    expect(incoming.listenerCount('data')).toBe(0)
  })

  it('stops at the limit', async () => {
    const incoming = new PassThrough()
    const body = readBody(received(incoming, ...chunked), LIMIT)
    for (const chunk of cut('0123456789x')) incoming.write(chunk)
    await expect(body).rejects.toEqual(refused('EntityTooLarge'))
    expect(incoming.listenerCount('data')).toBe(0)
  })

  it('reads a web stream, up to the limit', async () => {
    expect((await readBody(received(web(cut('0123456789'))), LIMIT)).toString()).toBe('0123456789')
    const tooMuch = readBody(received(web(cut('0123456789x'))), LIMIT)
    await expect(tooMuch).rejects.toEqual(refused('EntityTooLarge'))
  })
})

it('has nothing to read where nothing was sent', async () => {
  expect(await readBody(received(new PassThrough()), LIMIT)).toHaveLength(0)
  expect(await readBody(received(null), LIMIT)).toHaveLength(0)
})

it('refuses what announces too much before reading it', async () => {
  const incoming = new PassThrough()
  await expect(readBody(received(incoming, 'CONTENT-LENGTH', '11'), LIMIT)).rejects.toEqual(refused('EntityTooLarge'))
  expect(incoming.listenerCount('data')).toBe(0)
})

it('ends when the client does', async () => {
  const during = new PassThrough()
  const body = readBody(received(during, ...chunked), LIMIT)
  during.write('0')
  during.destroy()
  await expect(body).rejects.toEqual(refused('InvalidRequest'))
  const before = new PassThrough()
  before.destroy()
  await expect(readBody(received(before, ...chunked), LIMIT)).rejects.toEqual(refused('InvalidRequest'))
  const failing = readBody(received(web(['0'], new Error('secret'))), LIMIT)
  await expect(failing).rejects.toEqual(refused('InvalidRequest'))
})
