import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Creates a file (0600) that is either whole or absent, and survives power loss once this returns. Throws `EEXIST` when
 * there is one already: of several callers one wins.
 */
export async function createDurably(path: string, content: string): Promise<void> {
  const temporary = await writeTemporary(path, content)
  try {
    await link(temporary, path)
  } finally {
    await unlink(temporary)
  }
  await syncDirectory(dirname(path))
}

/** Replaces a file, or creates it, in one step. */
export async function replaceDurably(path: string, content: string): Promise<void> {
  const temporary = await writeTemporary(path, content)
  try {
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary)
    throw error
  }
  await syncDirectory(dirname(path))
}

async function writeTemporary(path: string, content: string): Promise<string> {
  const temporary = join(dirname(path), `.tmp-${basename(path).slice(0, 64)}-${randomBytes(6).toString('hex')}`)
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } catch (error) {
    await unlink(temporary)
    throw error
  } finally {
    await file.close()
  }
  return temporary
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
