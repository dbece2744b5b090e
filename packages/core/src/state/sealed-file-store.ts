import { Buffer } from 'node:buffer'
import { basename, dirname, extname, join } from 'node:path'
import { isJsonObject } from '../config/json.ts'
import { kmsError } from '../errors/kms-error.ts'
import type { Random } from '../random.ts'
import { mapLeaves } from '../seal/map-leaves.ts'
import { isSealedValue, openSealed, type SealPlace, sealValue } from '../seal/sealed-value.ts'
import type { ServerKeyPurpose, ServerKeys } from '../seal/server-key.ts'
import { createCheckedFile, prepareStateDirectories } from './checked-file.ts'

/** A JSON document with a number `format` at its top. */
export interface SealedDocument {
  readonly format: number
}

export interface SealedFileStoreOptions {
  /** The file, `<directory>/<name>.json`; its copy is `<name>.last-good.json` beside it. One process at a time. */
  readonly path: string
  /** Kind of the document: part of what is authenticated with each secret. */
  readonly document: string
  readonly purpose: ServerKeyPurpose
  /** The newest format this release writes and reads. */
  readonly format: number
  /** What it holds, for people: "the users and policies". */
  readonly what: string
  readonly keys: ServerKeys
  readonly random: Random
  /**
   * What the secret at a JSON pointer belongs to, and so opens with only; `undefined` where there is no secret. Asked for
   * each leaf of a document, sealed or not, so it must not depend on secrets.
   */
  readonly secretBinding: (pointer: string, document: unknown) => string | undefined
  /** Told when the file was damaged and the last good copy was used instead; public text. */
  readonly onRecovered: (message: string) => void
}

/** One JSON document in a file, its secrets sealed under the server key (formats §4). */
export interface SealedFileStore {
  /**
   * What was last saved, secrets in the clear; `undefined` when nothing ever was. Throws `StoreDamaged`, `NewerFormat`,
   * `ServerKeyMismatch`.
   */
  load(): Promise<unknown>
  /** Replaces the document, durably. Throws `StorageFailed`; the one before is intact then. */
  save(document: SealedDocument): Promise<void>
}

/** Opens the store; creates its directory (0700) when there is none. Throws `StorageFailed`. */
export async function createSealedFileStore(options: SealedFileStoreOptions): Promise<SealedFileStore> {
  const { path, keys, random, secretBinding, format: known } = options
  const directory = dirname(path)
  await prepareStateDirectories([directory])

  function placeOf(pointer: string, document: unknown): SealPlace | undefined {
    const binding = secretBinding(pointer, document)
    return binding === undefined
      ? undefined
      : { purpose: options.purpose, document: options.document, pointer, binding }
  }

  function open(stored: unknown, from: string): unknown {
    return mapLeaves(stored, '', (value, pointer) => {
      const place = placeOf(pointer, stored)
      if (isSealedValue(value) !== (place !== undefined)) throw misplaced(pointer, from)
      if (place === undefined || !isSealedValue(value)) return value
      const opened = openSealed(value, place, keys)
      if (opened.ok) return opened.plaintext.toString('utf8')
      if (opened.problem === 'damaged') throw misplaced(pointer, from)
      throw kmsError('ServerKeyMismatch', { expected: opened.keyId, actual: keys.current.id })
    })
  }

  const file = createCheckedFile<unknown>({
    path,
    lastGoodPath: join(directory, `${basename(path, extname(path))}.last-good.json`),
    what: options.what,
    onRecovered: options.onRecovered,
    decode(line, from) {
      let stored: unknown
      try {
        stored = JSON.parse(line)
      } catch (cause) {
        throw kmsError('StoreDamaged', { path: from, reason: 'it is not JSON' }, { cause })
      }
      const found = isJsonObject(stored) ? stored['format'] : undefined
      if (typeof found !== 'number') throw kmsError('StoreDamaged', { path: from, reason: 'it names no format' })
      if (found > known) throw kmsError('NewerFormat', { path: from, found, known })
      return open(stored, from)
    },
  })

  return {
    load: file.load,

    async save(document) {
      const sealed = mapLeaves(document, '', (value, pointer) => {
        const place = placeOf(pointer, document)
        if (place === undefined) return value
        if (typeof value !== 'string') throw new TypeError(`The secret at ${pointer} is not a string.`)
        return sealValue(Buffer.from(value), place, keys, random)
      })
      await file.save(document, JSON.stringify(sealed))
    },
  }
}

function misplaced(pointer: string, path: string): Error {
  return kmsError('StoreDamaged', { path, reason: `the secret at ${pointer} does not belong there` })
}
