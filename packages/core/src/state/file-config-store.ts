import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isKmsError, kmsError } from '../errors/kms-error.ts'
import { createCheckedFile, prepareStateDirectories, readChecked, STATE_FILE_MODE } from './checked-file.ts'
import { writeDurably } from './durable-file.ts'
import {
  type ConfigStore,
  decodeRevisionEntry,
  decodeStateDocument,
  encodeStateDocument,
  type RevisionEntry,
  type StateCodecOptions,
  type StateDocument,
} from './state-document.ts'

export interface FileConfigStoreOptions extends StateCodecOptions {
  /** Directory of the state: created 0700 when absent. One process at a time; the server's lock sees to it. */
  readonly directory: string
  /** Told when the current document was damaged and the last good copy was used instead; public text. */
  readonly onRecovered: (message: string) => void
}

const HISTORY_LENGTH = 50

/**
 * Documents as files: `state.json` (the current one), `state.last-good.json` (a second copy, for when the first is
 * damaged) and `history/<revision>.json` (those that changed the configuration). Each is two lines: JSON, then the
 * SHA-256 of the JSON in hex.
 */
export async function createFileConfigStore(options: FileConfigStoreOptions): Promise<ConfigStore> {
  const { directory } = options
  const history = join(directory, 'history')
  await prepareStateDirectories([directory, history])

  const decode = (line: string, path: string): StateDocument => decodeStateDocument(line, path, options)
  const file = createCheckedFile<StateDocument>({
    path: join(directory, 'state.json'),
    lastGoodPath: join(directory, 'state.last-good.json'),
    what: 'the configuration',
    decode,
    describe: ({ revision }) => `revision ${revision}`,
    onRecovered: options.onRecovered,
    async onReplacing(document, text) {
      if (document.change.diff.length === 0) return
      await writeDurably(join(history, historyName(document.revision)), text, { mode: STATE_FILE_MODE })
      for (const name of (await historyNames()).slice(0, -HISTORY_LENGTH)) await unlink(join(history, name))
    },
  })

  async function historyNames(): Promise<string[]> {
    return (await readdir(history)).filter((name) => /^\d{10}\.json$/.test(name)).sort()
  }

  return {
    load: file.load,

    async save(document, expectedRevision) {
      await file.save(document, encodeStateDocument(document, options), (stored) => {
        const actual = stored?.revision ?? 0
        if (actual !== expectedRevision) {
          throw kmsError('PreconditionFailed', { actual, expected: expectedRevision })
        }
      })
    },

    async history() {
      const entries: RevisionEntry[] = []
      for (const name of await historyNames()) {
        const entry = await readChecked(join(history, name), decodeRevisionEntry).catch((error: unknown) => {
          if (isKmsError(error, 'StoreDamaged', 'NewerFormat')) return undefined
          throw error
        })
        if (entry !== undefined) entries.push(entry)
      }
      return entries
    },

    revision: (revision) => readChecked(join(history, historyName(revision)), decode),
  }
}

function historyName(revision: number): string {
  return `${String(revision).padStart(10, '0')}.json`
}
