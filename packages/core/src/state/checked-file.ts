import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import { syncDirectory, TEMPORARY_PREFIX, writeDurably } from './durable-file.ts'
import { errnoOf, storageFailed } from './storage-error.ts'

/** Mode of every file of the state. */
export const STATE_FILE_MODE = 0o600

export interface CheckedFileOptions<T> {
  readonly path: string
  /** The second copy, for when the first is damaged. */
  readonly lastGoodPath: string
  /** What it holds, for `StorageFailed`. */
  readonly what: string
  /** Reads the JSON line; `path` is named in errors. `StoreDamaged` sends the reader to the other copy. */
  readonly decode: (line: string, path: string) => T
  /** Names a version for people, in brackets after the file's path; nothing unless given. */
  readonly describe?: (value: T) => string
  /** Told when the file was damaged and the last good copy was used instead; public text. */
  readonly onRecovered: (message: string) => void
  /** Runs before a new value replaces the last good copy. A failure leaves that for the next load or save. */
  readonly onReplacing?: (value: T, text: string) => Promise<void>
}

/** A document in a file of two lines (JSON, then the SHA-256 of the JSON in hex), with a copy of it beside it. */
export interface CheckedFile<T> {
  /** `undefined` when nothing was ever saved. Throws what `decode` throws, and `StoreDamaged`. */
  load(): Promise<T | undefined>
  /**
   * Replaces the document, durably. `line` is the JSON of `value`, without line breaks. Throws `StorageFailed` when it
   * could not be written; the old document is intact then. `verify` is called with the one stored before anything is
   * written, and refuses by throwing.
   */
  save(value: T, line: string, verify?: (stored: T | undefined) => void): Promise<void>
}

export function createCheckedFile<T>(options: CheckedFileOptions<T>): CheckedFile<T> {
  const { path, lastGoodPath, what, decode, describe } = options

  async function load(): Promise<T | undefined> {
    let problem: string
    try {
      const text = await readText(path)
      if (text !== undefined) {
        const value = decodeChecked(text, path, decode)
        await mirror(value, text)
        return value
      }
      if ((await readText(lastGoodPath)) === undefined) return undefined
      problem = `${path} is gone.`
    } catch (error) {
      if (!isKmsError(error, 'StoreDamaged')) throw error
      // A damaged copy, or none: the original's error says more.
      if ((await readChecked(lastGoodPath, decode).catch(() => undefined)) === undefined) throw error
      problem = error.message
    }
    const copy = await readChecked(lastGoodPath, decode)
    const which = copy === undefined || describe === undefined ? '' : ` (${describe(copy)})`
    options.onRecovered(`${problem} ${lastGoodPath}${which} was used instead.`)
    return copy
  }

  /** Brings the last good copy up to the document. Nothing depends on it but recovery, so a failure waits for the next time. */
  async function mirror(value: T, text: string): Promise<void> {
    try {
      if ((await readText(lastGoodPath)) === text) return
      await options.onReplacing?.(value, text)
      await writeDurably(lastGoodPath, text, { mode: STATE_FILE_MODE })
    } catch {
      // See above.
    }
  }

  /** After a failed write: the old bytes if they can be had back, else whatever is on disk counts. */
  async function settle(before: string | undefined, after: string, cause: unknown): Promise<void> {
    if ((await readText(path)) !== after) throw storageFailed(what, cause)
    try {
      if (before === undefined) {
        await unlink(path)
        await syncDirectory(dirname(path))
      } else await writeDurably(path, before, { mode: STATE_FILE_MODE })
    } catch {
      if ((await readText(path)) === after) return
    }
    throw storageFailed(what, cause)
  }

  return {
    load,

    async save(value, line, verify) {
      const before = await readText(path)
      verify?.(await load())
      const text = `${line}\n${sha256(line)}\n`
      try {
        await writeDurably(path, text, { mode: STATE_FILE_MODE })
      } catch (error) {
        await settle(before, text, error)
      }
      await mirror(value, text)
    },
  }
}

/** Reads a file of two lines; `undefined` when there is none. Throws `StoreDamaged`, and what `decode` throws. */
export async function readChecked<T>(path: string, decode: (line: string, path: string) => T): Promise<T | undefined> {
  const text = await readText(path)
  return text === undefined ? undefined : decodeChecked(text, path, decode)
}

/** Makes the directories (0700) and removes temporary files of writes that never happened. Throws `StorageFailed`. */
export async function prepareStateDirectories(directories: readonly string[]): Promise<void> {
  try {
    for (const directory of directories) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      for (const name of await readdir(directory)) {
        if (name.startsWith(TEMPORARY_PREFIX)) await unlink(`${directory}/${name}`)
      }
    }
  } catch (error) {
    throw storageFailed(directories.join(' and '), error)
  }
}

function decodeChecked<T>(text: string, path: string, decode: (line: string, path: string) => T): T {
  const [line = '', sum, rest] = text.split('\n')
  if (sum !== sha256(line) || rest !== '') {
    throw kmsError('StoreDamaged', { path, reason: 'its checksum does not match' })
  }
  return decode(line, path)
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw storageFailed(path, error)
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
