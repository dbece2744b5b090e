import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Longer than any installation takes: whoever holds the lock as long as this has died. */
const STALE_MS = 10 * 60_000
const POLL_MS = 100

/** Where programs that tests need are kept between runs. */
function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kms')
}

/**
 * A folder of the cache, made by `install` unless it is complete already; suites that run side by side wait for the first.
 * What `install` throws is thrown, and the next call begins anew.
 */
export function installOnce(name: string, install: (place: string) => void): string {
  const place = join(cacheFolder(), name)
  // Written last: an installation that was interrupted is made again.
  const complete = join(place, 'complete')
  if (existsSync(complete)) return place
  mkdirSync(cacheFolder(), { recursive: true })
  const lock = `${place}.lock`
  while (!take(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS)
  try {
    if (existsSync(complete)) return place
    rmSync(place, { recursive: true, force: true })
    install(place)
    writeFileSync(complete, '')
    return place
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

function take(lock: string): boolean {
  try {
    mkdirSync(lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - since > STALE_MS) rmSync(lock, { recursive: true, force: true })
    return false
  }
}
