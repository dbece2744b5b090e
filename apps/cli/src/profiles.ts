import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { usageError } from './exit-codes.ts'
import type { Io } from './io.ts'

/** Where a server is and who calls it. */
export interface Profile {
  readonly endpoint?: string
  readonly access_key?: string
  readonly secret_key?: string
  readonly session_token?: string
  readonly region?: string
  /** Path of a file of certificate authorities, in PEM. */
  readonly ca_file?: string
}

export interface ProfileFile {
  readonly current?: string
  readonly profiles: Readonly<Record<string, Profile>>
}

/** `KMSCTL_CONFIG`, else `kmsctl/profiles.json` in the user's configuration. */
export function profilePath({ env }: Pick<Io, 'env'>): string {
  return (
    env['KMSCTL_CONFIG'] ||
    join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'kmsctl', 'profiles.json')
  )
}

/** Reads the file; an absent one is empty. Throws when others than the owner may read it: it holds secrets. */
export function readProfiles(path: string): ProfileFile {
  let text: string
  try {
    const { mode } = statSync(path)
    if ((mode & 0o077) !== 0) {
      throw usageError(`${path} holds secrets and others may read it. Take their rights away: chmod 600 ${path}`)
    }
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { profiles: {} }
    throw error
  }
  try {
    const file = JSON.parse(text) as Partial<ProfileFile>
    if (typeof file.profiles === 'object') return file as ProfileFile
  } catch (error) {
    throw usageError(`${path} is not JSON.`, error)
  }
  throw usageError(`${path} is no file of profiles.`)
}

export function writeProfiles(path: string, file: ProfileFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 })
  chmodSync(temporary, 0o600)
  renameSync(temporary, path)
}
