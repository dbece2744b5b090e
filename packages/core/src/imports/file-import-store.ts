import { readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Random } from '../random.ts'
import { openSealed, type SealPlace, sealValue } from '../seal/sealed-value.ts'
import type { ServerKeys } from '../seal/server-key.ts'
import { prepareStateDirectories, STATE_FILE_MODE } from '../state/checked-file.ts'
import { syncDirectory, writeDurably } from '../state/durable-file.ts'
import { errnoOf, storageFailed } from '../state/storage-error.ts'
import type { ImportStore, ImportTicket } from './import-store.ts'

export interface FileImportStoreOptions {
  /** Created 0700 when absent; nothing else lives in it. */
  readonly directory: string
  readonly keys: ServerKeys
  readonly random: Random
}

const FORMAT = 1
/** Tickets that wait at the same time. */
const MAX_WAITING = 64

const ticketSchema = z.object({
  format: z.literal(FORMAT),
  realm: z.string().regex(/^[0-9a-f]{32}$/),
  key_name: z.string().nullable(),
  expires_at: z.number(),
  private_key: z.object({ $sealed: z.string() }),
})

const usedSchema = z.object({ format: z.literal(FORMAT), expires_at: z.number() })

/**
 * Tickets as files (formats §5): `<id>.json`, whose private key is sealed under the server key and opens with that id,
 * store, name and date alone; and `<id>.used`, created with O_EXCL semantics, once it was claimed. A ticket that can't be read
 * is one that is not known: another is quickly made. Throws `StorageFailed` when the directory can't be made.
 */
export async function createFileImportStore(options: FileImportStoreOptions): Promise<ImportStore> {
  const { directory, keys, random } = options
  await prepareStateDirectories([directory])
  const ticketPath = (id: string): string => join(directory, `${id}.json`)
  const usedPath = (id: string): string => join(directory, `${id}.used`)

  async function remove(...paths: readonly string[]): Promise<void> {
    try {
      for (const path of paths) {
        await unlink(path).catch((error: unknown) => {
          if (errnoOf(error) !== 'ENOENT') throw error
        })
      }
      await syncDirectory(directory)
    } catch (error) {
      throw storageFailed('an import token', error)
    }
  }

  async function write(path: string, content: object, exclusive: boolean): Promise<void> {
    await writeDurably(path, `${JSON.stringify(content)}\n`, { mode: STATE_FILE_MODE, exclusive })
  }

  /** Removes what expired by `now`, and the oldest of those that wait, but for `room` of them. */
  async function tidy(now: number, room: number): Promise<void> {
    const waiting: { readonly path: string; readonly expiresAt: number }[] = []
    const gone: string[] = []
    const names = await readdir(directory).catch((error: unknown) => {
      throw storageFailed('the import tokens', error)
    })
    for (const name of names) {
      const path = join(directory, name)
      const isTicket = name.endsWith('.json')
      // That a token was used is known by the name alone: a damaged file is needed for as long as the token is there.
      const stored = isTicket
        ? await readJson(path, ticketSchema)
        : ((await readJson(path, usedSchema)) ?? (await readJson(path.replace(/\.used$/, '.json'), ticketSchema)))
      const expiresAt = stored?.expires_at ?? 0
      if (expiresAt <= now) gone.push(path)
      else if (isTicket) waiting.push({ path, expiresAt })
    }
    const surplus = waiting.sort((a, b) => b.expiresAt - a.expiresAt).slice(room)
    gone.push(...surplus.map(({ path }) => path))
    if (gone.length > 0) await remove(...gone)
  }

  return {
    async save(ticket, now) {
      await tidy(now, MAX_WAITING - 1)
      const { id, realm, keyName, expiresAt, privateKey } = ticket
      const content = {
        format: FORMAT,
        realm,
        key_name: keyName ?? null,
        expires_at: expiresAt,
        private_key: sealValue(privateKey, placeOf(ticket), keys, random),
      }
      await write(ticketPath(id), content, true).catch((error: unknown) => {
        throw storageFailed('an import token', error)
      })
    },

    async load(id) {
      if ((await readText(usedPath(id))) !== undefined) return 'used'
      const stored = await readJson(ticketPath(id), ticketSchema)
      if (stored === undefined) return undefined
      const facts = {
        id,
        realm: stored.realm,
        expiresAt: stored.expires_at,
        ...(stored.key_name === null ? {} : { keyName: stored.key_name }),
      }
      const opened = openSealed(stored.private_key, placeOf(facts), keys)
      return opened.ok ? { ...facts, privateKey: opened.plaintext } : undefined
    },

    async claim({ id, expiresAt }) {
      try {
        await write(usedPath(id), { format: FORMAT, expires_at: expiresAt }, true)
        return true
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') return false
        throw storageFailed('an import token', error)
      }
    },

    release: (id) => remove(usedPath(id)),
    finish: (id) => remove(ticketPath(id)),
    sweep: (now) => tidy(now, MAX_WAITING),
  }
}

/** Everything that decides what a ticket is good for is authenticated with its private key. */
function placeOf({ id, realm, keyName = '', expiresAt }: Omit<ImportTicket, 'privateKey'>): SealPlace {
  const binding = [id, realm, expiresAt, keyName].join('\n')
  return { purpose: 'import', document: 'import', pointer: '/private_key', binding }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw storageFailed(path, error)
  }
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readText(path)
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
