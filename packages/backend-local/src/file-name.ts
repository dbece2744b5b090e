import { createHash } from 'node:crypto'

/**
 * The stem of the files of a key or alias (formats §6): the name itself, or, with upper-case letters, the lower-cased
 * name ‖ `~` ‖ hex(SHA-256(name)[0..8)), so that two names never meet in one file on a file system that folds case.
 */
export function fileStem(name: string): string {
  if (!/[A-Z]/.test(name)) return name
  return `${name.toLowerCase()}~${createHash('sha256').update(name).digest('hex').slice(0, 16)}`
}
