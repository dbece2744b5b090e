import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf, syncDirectory } from '@kms/core/internal'

/**
 * Makes a directory and its missing parents, mode 0700, durably; an existing one is left as it is. Not by mkdir's own
 * `recursive`, which never returns where a parent exists and nothing can be made in it (as in /proc).
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(dirname(path))
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return
    throw error
  }
  await syncDirectory(dirname(path))
}
