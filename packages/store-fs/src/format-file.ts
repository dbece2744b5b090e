import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from './body-files.ts'
import { storeError } from './store-error.ts'

/** The layout this release writes, and the newest it reads. */
const FORMAT = 1

const NAME = 'store.json'

/**
 * Makes sure the directory holds a store this release can read; an absent or empty one becomes a store. It is looked at
 * before the database is opened, so that a newer release may change even that. Throws `NewerFormat`, and `Damaged` for a
 * directory that holds something else; it is then left as it is.
 */
export async function prepareFormat(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, NAME)
  const text = (await readText(path)) ?? (await initialise(directory, path))
  const format = readFormat(text)
  if (format === undefined) throw storeError('Damaged', `${path} is not the description of an object store`)
  if (format > FORMAT) {
    throw storeError(
      'NewerFormat',
      `${path} has format ${format}; this release knows formats up to ${FORMAT}. Use the release that wrote it, or a newer one.`,
    )
  }
}

async function initialise(directory: string, path: string): Promise<string> {
  const strangers = (await readdir(directory)).filter((name) => name !== NAME && !name.startsWith(`${NAME}.tmp-`))
  const appeared = await readText(path)
  if (appeared !== undefined) return appeared
  if (strangers.length > 0) {
    throw storeError('Damaged', `${directory} is neither empty nor an object store; it was left as it is`)
  }
  const text = `${JSON.stringify({ format: FORMAT })}\n`
  const temporary = `${path}.tmp-${randomBytes(6).toString('hex')}`
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(temporary, path)
  } catch (error) {
    // Another process was first; what it wrote says the same, or more.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(temporary)
  }
  await syncDirectory(directory)
  return (await readText(path)) ?? text
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function readFormat(text: string): number | undefined {
  try {
    const { format } = JSON.parse(text) as { readonly format?: unknown }
    return typeof format === 'number' && Number.isInteger(format) && format >= 1 ? format : undefined
  } catch {
    return undefined
  }
}
