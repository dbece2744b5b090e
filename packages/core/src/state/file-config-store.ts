import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import { syncDirectory, TEMPORARY_PREFIX, writeDurably } from './durable-file.ts'
import {
  type ConfigStore,
  decodeStateDocument,
  encodeStateDocument,
  type StateCodecOptions,
  type StateDocument,
} from './state-document.ts'
import { errnoOf, storageFailed } from './storage-error.ts'

export interface FileConfigStoreOptions extends StateCodecOptions {
  /** Directory of the state: created 0700 when absent. One process at a time; the server's lock sees to it. */
  readonly directory: string
  /** Told when the current document was damaged and the last good copy was used instead; public text. */
  readonly onRecovered: (message: string) => void
}

const MODE = 0o600
const HISTORY_LENGTH = 50

/**
 * Documents as files: `state.json` (the current one), `state.last-good.json` (a second copy, for when the first is
 * damaged) and `history/<revision>.json` (those that changed the configuration). Each is two lines: JSON, then the
 * SHA-256 of the JSON in hex.
 */
export async function createFileConfigStore(options: FileConfigStoreOptions): Promise<ConfigStore> {
  const { directory } = options
  const history = join(directory, 'history')
  const current = join(directory, 'state.json')
  const lastGood = join(directory, 'state.last-good.json')
  await prepare([directory, history])

  function decode(text: string, path: string): StateDocument {
    const [line = '', sum, rest] = text.split('\n')
    if (sum !== sha256(line) || rest !== '')
      throw kmsError('StoreDamaged', { path, reason: 'its checksum does not match' })
    return decodeStateDocument(line, path, options)
  }

  async function read(path: string): Promise<StateDocument | undefined> {
    const text = await readText(path)
    return text === undefined ? undefined : decode(text, path)
  }

  async function load(): Promise<StateDocument | undefined> {
    let problem: string
    try {
      const text = await readText(current)
      if (text !== undefined) {
        const document = decode(text, current)
        await mirror(document, text)
        return document
      }
      if ((await readText(lastGood)) === undefined) return undefined
      problem = `${current} is gone.`
    } catch (error) {
      if (!isKmsError(error, 'StoreDamaged')) throw error
      // A damaged copy, or none: the original's error says more.
      if ((await read(lastGood).catch(() => undefined)) === undefined) throw error
      problem = error.message
    }
    const copy = await read(lastGood)
    options.onRecovered(`${problem} ${lastGood} (revision ${copy?.revision}) was used instead.`)
    return copy
  }

  /**
   * Brings the last good copy and the history up to the current document. Nothing depends on it but recovery, so a
   * failure waits for the next load or save.
   */
  async function mirror(document: StateDocument, text: string): Promise<void> {
    try {
      if ((await readText(lastGood)) === text) return
      if (document.change.diff.length > 0) {
        await writeDurably(join(history, historyName(document.revision)), text, { mode: MODE })
      }
      await writeDurably(lastGood, text, { mode: MODE })
      for (const name of (await historyNames()).slice(0, -HISTORY_LENGTH)) await unlink(join(history, name))
    } catch {
      // See above.
    }
  }

  /** After a failed write: the old bytes if they can be had back, else whatever is on disk counts. */
  async function settle(before: string | undefined, after: string, cause: unknown): Promise<void> {
    if ((await readText(current)) !== after) throw storageFailed('the configuration', cause)
    try {
      if (before === undefined) {
        await unlink(current)
        await syncDirectory(directory)
      } else await writeDurably(current, before, { mode: MODE })
    } catch {
      if ((await readText(current)) === after) return
    }
    throw storageFailed('the configuration', cause)
  }

  return {
    load,

    async save(document, expectedRevision) {
      const before = await readText(current)
      const stored = (await load())?.revision ?? 0
      if (stored !== expectedRevision) {
        throw kmsError('PreconditionFailed', { actual: stored, expected: expectedRevision })
      }
      const line = encodeStateDocument(document, options)
      const text = `${line}\n${sha256(line)}\n`
      try {
        await writeDurably(current, text, { mode: MODE })
      } catch (error) {
        await settle(before, text, error)
      }
      await mirror(document, text)
    },

    async history() {
      const documents: StateDocument[] = []
      for (const name of await historyNames()) {
        const document = await read(join(history, name)).catch((error: unknown) => {
          if (isKmsError(error, 'StoreDamaged')) return undefined
          throw error
        })
        if (document !== undefined) documents.push(document)
      }
      return documents
    },
  }

  async function historyNames(): Promise<string[]> {
    return (await readdir(history)).filter((name) => /^\d{10}\.json$/.test(name)).sort()
  }
}

/** Makes the directories and removes temporary files of writes that never happened. */
async function prepare(directories: readonly string[]): Promise<void> {
  try {
    for (const directory of directories) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      for (const name of await readdir(directory)) {
        if (name.startsWith(TEMPORARY_PREFIX)) await unlink(join(directory, name))
      }
    }
  } catch (error) {
    throw storageFailed(directories.join(' and '), error)
  }
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

function historyName(revision: number): string {
  return `${String(revision).padStart(10, '0')}.json`
}
