import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { lookForProcess, ownIdentity, type ProcessIdentity, writeDurably } from '@kms/core'
import { z } from 'zod'
import { exitCodes, startupError } from './startup-error.ts'

/** A data directory that is ours until it is released. */
export interface ServerLock {
  /** Tells later starters where this server listens. */
  announce(address: string): Promise<void>
  release(): Promise<void>
}

/** Who holds a lock: the content of the file. */
interface Holder extends ProcessIdentity {
  readonly format: 1
  /** Where it listens, or will. */
  readonly address: string
  /** A socket in the directory that answers as long as the holder lives. */
  readonly socket: string
}

const holderSchema: z.ZodType<Holder> = z.object({
  format: z.literal(1),
  pid: z.int().min(1),
  started: z.string(),
  boot: z.string(),
  namespace: z.string(),
  address: z.string(),
  socket: z.string().regex(/^(?:server-[0-9a-f]{8}\.sock)?$/),
})

const SOCKET_NAME = /^server-[0-9a-f]{8}\.sock$/

/**
 * Takes the data directory for this process: `server.lock` names the holder. Throws a `StartupError` (exit code 3) that
 * names a living holder; the file of a dead one is taken over, by one of those who try.
 */
export async function lockDataDirectory(directory: string, address: string): Promise<ServerLock> {
  const path = join(directory, 'server.lock')
  const sign = await openSign(directory)
  let holder: Holder = { format: 1, ...(await ownIdentity()), address, socket: sign.name }
  try {
    await acquire(path, holder, directory)
  } catch (error) {
    await sign.close()
    throw error
  }
  await removeDeadSigns(directory, sign.name)
  return {
    async announce(actual) {
      holder = { ...holder, address: actual }
      await writeDurably(path, encode(holder), { mode: 0o600 })
    },
    async release() {
      if ((await readText(path)) === encode(holder)) await unlink(path)
      await sign.close()
    },
  }
}

/**
 * Creates the file, or replaces that of a dead holder. Replacing is done under a lock of its own, named after what is
 * replaced and taken in the same way: a second starter that judged the same dead holder waits its turn, looks again and
 * finds the first one alive.
 */
async function acquire(path: string, holder: Holder, directory: string): Promise<void> {
  for (;;) {
    try {
      return await writeDurably(path, encode(holder), { mode: 0o600, exclusive: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const found = await readText(path)
    if (found === undefined) continue
    await refuseLiving(path, found, directory)
    const turn = `${path}.${createHash('sha256').update(found).digest('hex').slice(0, 16)}`
    await acquire(turn, holder, directory)
    try {
      if ((await readText(path)) === found) return await writeDurably(path, encode(holder), { mode: 0o600 })
    } finally {
      await unlink(turn)
    }
  }
}

async function refuseLiving(path: string, text: string, directory: string): Promise<void> {
  const holder = decode(text)
  if (holder === undefined) {
    throw startupError(
      exitCodes.held,
      `${path} is not a lock of this product. Make sure no server uses ${directory}, then remove it.`,
    )
  }
  const found = await lookForProcess(holder)
  if (found === 'gone' || found === 'other-boot') return
  if (found === 'other-namespace' && (await isDeadSign(directory, holder.socket))) return
  const hint = found === 'alive' ? 'Stop it first' : `It runs in another container; if it does not, remove ${path}`
  throw startupError(
    exitCodes.held,
    `Another server (pid ${holder.pid}, listening on ${holder.address}) uses ${directory}. ${hint}, or set another KMS_DATA_DIR.`,
  )
}

function encode(holder: Holder): string {
  return `${JSON.stringify(holder)}\n`
}

function decode(text: string): Holder | undefined {
  try {
    return holderSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The sign of life that reaches across containers on one volume, where process ids do not. */
interface Sign {
  /** Empty where the file system, or the length of the path, allows no socket. */
  readonly name: string
  close(): Promise<void>
}

/** `sun_path` holds 104 bytes on some systems, a null byte included; Node cuts off longer paths without a word. */
const LONGEST_SOCKET_PATH = 103

async function openSign(directory: string): Promise<Sign> {
  const none: Sign = { name: '', close: async () => {} }
  const name = `server-${randomBytes(4).toString('hex')}.sock`
  if (Buffer.byteLength(join(directory, name)) > LONGEST_SOCKET_PATH) return none
  const server: Server = createServer((socket) => socket.destroy())
  const opened = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(join(directory, name), () => resolve(true))
  })
  if (!opened) return none
  server.unref()
  return { name, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Whether the socket is there and nobody answers. Without a socket nothing can be told. */
async function isDeadSign(directory: string, name: string): Promise<boolean> {
  if (name === '') return false
  return await new Promise((resolve) => {
    const socket = connect(join(directory, name))
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT'),
    )
  })
}

/** Removes what killed servers left. Only for the holder of the lock. */
async function removeDeadSigns(directory: string, own: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (SOCKET_NAME.test(name) && name !== own && (await isDeadSign(directory, name))) {
      await unlink(join(directory, name)).catch(() => {})
    }
  }
}
