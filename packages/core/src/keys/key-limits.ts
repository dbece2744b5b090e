import { kmsError } from '../errors/kms-error.ts'
import { isKeyName } from './key-name.ts'
import { ROTATION_PERIOD_DAYS } from './rotation-schedule.ts'

const MAX_DESCRIPTION = 8192
const MAX_TAGS = 50
const MAX_TAG_KEY = 128
const MAX_TAG_VALUE = 256
const MAX_ALIASES = 50

/** The tag that names a key when it is made; it is never changed afterwards. */
const NAME_TAG = 'name'

/** Throws `ValidationError` for a name that cannot be an id or an alias. */
export function checkName(name: string, path: string): void {
  if (isKeyName(name)) return
  throw invalid(
    path,
    'must have 1 to 128 of A-Z a-z 0-9 . _ -, start and end with a letter, digit or _, and hold no ..',
  )
}

/** Throws `ValidationError` above 8192 characters, or for a text that is not Unicode. */
export function checkDescription(description: string): void {
  if (description.length <= MAX_DESCRIPTION && description.isWellFormed()) return
  throw invalid('description', `must be well-formed Unicode of at most ${MAX_DESCRIPTION} characters`)
}

/** Checks all tags a key is to have. Throws `ValidationError`. */
export function checkTags(tags: ReadonlyMap<string, string>): void {
  if (tags.size > MAX_TAGS) throw invalid('tags', `a key has at most ${MAX_TAGS}`)
  for (const [key, value] of tags) {
    const good = key.isWellFormed() && value.isWellFormed() && key.length >= 1
    if (!good || key.length > MAX_TAG_KEY || value.length > MAX_TAG_VALUE) {
      const reason = `keys have 1 to ${MAX_TAG_KEY} characters, values at most ${MAX_TAG_VALUE}, well-formed Unicode`
      throw invalid('tags', reason)
    }
  }
}

/** Throws `ValidationError` when a tag that names the key is to be set or removed. */
export function refuseNameTag(keys: Iterable<string>, path: string): void {
  for (const key of keys) {
    if (key === NAME_TAG) throw invalid(path, `"${NAME_TAG}" names the key when it is created and cannot be changed`)
  }
}

/** Checks all aliases a key is to have. Throws `ValidationError`. */
export function checkAliasCount(aliases: readonly string[]): void {
  if (aliases.length > MAX_ALIASES) throw invalid('alias', `a key has at most ${MAX_ALIASES}; remove one first`)
}

/** Throws `ValidationError` for a period out of bounds; `null` is none. */
export function checkRotationPeriod(days: number | null): void {
  const { min, max } = ROTATION_PERIOD_DAYS
  if (days === null || (Number.isInteger(days) && days >= min && days <= max)) return
  throw invalid('days', `must be a whole number from ${min} to ${max}, or null for no rotation`)
}

function invalid(path: string, reason: string): Error {
  return kmsError('ValidationError', { path, reason })
}
