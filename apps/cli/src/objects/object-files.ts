import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { ObjectHead, ObjectName, ObjectProtection, ObjectsClient } from '@kms/client'
import { usageError } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import { createProgressBar } from '../progress-bar.ts'

const MIB = 1024 * 1024

type Terminal = Pick<Io, 'interactive' | 'err'>

/** Uploads a file, with a step of the bar for each MiB. */
export async function putFile(
  client: ObjectsClient,
  name: ObjectName,
  file: string,
  options: ObjectProtection & { readonly contentType?: string },
  io: Terminal,
): Promise<ObjectHead> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw usageError(`${file} cannot be read (${error.code}).`, error)
  })
  if (!found.isFile()) throw usageError(`${file} is no file: an upload needs to know its size.`)
  const counted = countMebibytes(found.size, io)
  // Opened when the server wants it, not before.
  async function* open(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* counted.through(createReadStream(file))
  }
  const head = await client.put(name, { size: found.size, open }, options)
  counted.end()
  return { ...head, size: found.size }
}

/** Downloads into a file, which is there when all of it is, and not before. */
export async function getFile(
  client: ObjectsClient,
  name: ObjectName,
  file: string,
  io: Terminal,
): Promise<ObjectHead> {
  const { body, ...head } = await client.get(name)
  const counted = countMebibytes(head.size ?? 0, io)
  const partial = `${file}.${process.pid}.part`
  try {
    await pipeline(body, counted.through, createWriteStream(partial, { flags: 'wx', mode: 0o600 }))
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
  counted.end()
  return head
}

function countMebibytes(size: number, io: Terminal) {
  const bar = size < MIB ? undefined : createProgressBar(Math.ceil(size / MIB), io)
  let bytes = 0
  let steps = 0
  return {
    async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const part of source) {
        bytes += part.length
        for (; steps < Math.floor(bytes / MIB); steps++) bar?.step()
        yield part
      }
      if (bytes > steps * MIB) bar?.step()
    },
    end: () => bar?.end(),
  }
}
