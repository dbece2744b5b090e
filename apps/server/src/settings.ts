import { readFileSync } from 'node:fs'
import { nearest } from '@kms/core'
import { type CredentialsError, validateCredentials } from '@kms/iam'
import { z } from 'zod'
import {
  flagOf,
  type SettingName,
  type Settings,
  settingNames,
  settingTable,
  withoutCounterpart,
} from './setting-table.ts'
import { settingsError } from './startup-error.ts'

export interface SettingSources {
  /** Without the name of the program. */
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

export interface GivenSettings {
  readonly settings: Settings
  /** The names that were given a value, in the order they are documented. */
  readonly given: readonly SettingName[]
}

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'serve'; readonly given: GivenSettings }

/** A value and the place it came from, as an operator would call it. */
interface Raw {
  readonly value: unknown
  readonly origin: string
}

const byFlag: ReadonlyMap<string, SettingName> = new Map(settingNames.map((name) => [flagOf(name), name]))

/** Flags that say all by being there. */
const bareFlags: ReadonlySet<string> = new Set(['--help', '--version', flagOf('RUSTFS_KMS_ENABLE')])

const schema: z.ZodType<Settings> = z.strictObject(
  Object.fromEntries(
    settingNames.map((name) => {
      const { schema: kind, default: preset } = settingTable[name]
      return [name, preset === undefined ? kind.optional() : kind]
    }),
  ),
) as unknown as z.ZodType<Settings>

/**
 * Reads the command line, and with it every setting: flags win over the environment, the environment over the file
 * `--config` names. Throws a `StartupError` with exit code 2 that names the setting; values are not quoted, they may be
 * secret.
 */
export function readCommand({ args, environment }: SettingSources): Command {
  const flags = readFlags(args)
  if (flags.has('--help')) return { kind: 'help' }
  if (flags.has('--version')) return { kind: 'version' }
  const file = flags.get('--config')
  const raw = new Map<SettingName, Raw>([
    ...(file === undefined ? [] : fromFile(file)),
    ...fromEnvironment(environment),
    ...fromFlags(flags),
  ])
  return { kind: 'serve', given: { settings: validate(raw), given: settingNames.filter((name) => raw.has(name)) } }
}

function readFlags(args: readonly string[]): ReadonlyMap<string, string> {
  const known = ['--help', '--version', '--config', ...byFlag.keys()]
  const flags = new Map<string, string>()
  for (let i = 0; i < args.length; i++) {
    const [, flag = '', inline] = /^(--?[^=]*)(?:=(.*))?$/s.exec(args[i] as string) ?? []
    if (flag === '') throw settingsError('The command line', 'takes flags only; --help lists them')
    if (!known.includes(flag)) throw unknown(flag, known, '')
    if (flags.has(flag)) throw settingsError(flag, 'is given twice')
    const next = args[i + 1]
    if (inline !== undefined) flags.set(flag, inline)
    else if (bareFlags.has(flag) && (next === undefined || next.startsWith('--'))) flags.set(flag, 'on')
    else if (next !== undefined && !next.startsWith('--')) {
      flags.set(flag, next)
      i += 1
    } else throw settingsError(flag, 'needs a value')
  }
  return flags
}

function fromFlags(flags: ReadonlyMap<string, string>): [SettingName, Raw][] {
  return [...flags].flatMap(([flag, value]) => {
    const name = byFlag.get(flag)
    return name === undefined ? [] : [[name, { value, origin: flag }]]
  })
}

/** Kubernetes sets these for a service called `kms`. */
const SERVICE_LINK = /^KMS_(?:SERVICE_|PORT)/

function fromEnvironment(environment: SettingSources['environment']): [SettingName, Raw][] {
  return Object.entries(environment).flatMap(([name, value]) => {
    if (value === undefined || !/^(?:RUSTFS_)?KMS_/.test(name) || SERVICE_LINK.test(name)) return []
    return [[knownName(name, 'in the environment'), { value, origin: `${name} in the environment` }]]
  })
}

function fromFile(path: string): [SettingName, Raw][] {
  let document: unknown
  try {
    document = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read'
    throw settingsError(`--config ${path}`, reason, error)
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw settingsError(`--config ${path}`, 'must hold one JSON object of settings')
  }
  return Object.entries(document).map(([name, value]) => {
    return [knownName(name, `in ${path}`), { value, origin: `${name} in ${path}` }]
  })
}

function knownName(name: string, where: string): SettingName {
  if (Object.hasOwn(settingTable, name)) return name as SettingName
  const instead = withoutCounterpart.get(name)
  if (instead !== undefined)
    throw settingsError(name, `${where} is a setting of RustFS without counterpart: ${instead}`)
  throw unknown(name, settingNames, ` ${where}`)
}

function unknown(name: string, known: Iterable<string>, where: string): Error {
  const suggestion = nearest(name, known)
  const hint = suggestion === undefined ? '--help lists the settings' : `did you mean ${suggestion}?`
  return settingsError(name.slice(0, 80), `${where.trim()} is not a known setting; ${hint}`.trim())
}

function validate(raw: ReadonlyMap<SettingName, Raw>): Settings {
  const values = Object.fromEntries(
    settingNames.flatMap((name) => {
      const given = raw.get(name)
      const value = given === undefined ? settingTable[name].default : given.value
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const result = schema.safeParse(values)
  if (!result.success) {
    let issue = result.error.issues[0] as z.core.$ZodIssue
    const name = issue.path[0] as SettingName
    while (issue.code === 'invalid_union' && issue.errors.length > 0) {
      issue = issue.errors.at(-1)?.[0] as z.core.$ZodIssue
    }
    throw settingsError(raw.get(name)?.origin ?? name, issue.message)
  }
  checkTogether(result.data, raw)
  return result.data
}

const PAIRS: readonly (readonly [SettingName, SettingName])[] = [
  ['KMS_ROOT_ACCESS_KEY', 'KMS_ROOT_SECRET_KEY'],
  ['KMS_TLS_CERT', 'KMS_TLS_KEY'],
]

const EITHER: readonly (readonly [SettingName, SettingName])[] = [
  ['KMS_SERVER_KEY', 'KMS_SERVER_KEY_FILE'],
  ['KMS_BACKUP_KEY', 'KMS_BACKUP_KEY_FILE'],
  ['RUSTFS_KMS_KEY_DIR', 'RUSTFS_KMS_LOCAL_KEY_DIR'],
]

function checkTogether(settings: Settings, raw: ReadonlyMap<SettingName, Raw>): void {
  for (const [one, other] of PAIRS) {
    if (raw.has(one) === raw.has(other)) continue
    const [present, absent] = raw.has(one) ? [one, other] : [other, one]
    throw settingsError(present, `is set without ${absent}; set both or neither`)
  }
  for (const [one, other] of EITHER) {
    if (raw.has(one) && raw.has(other)) throw settingsError(one, `and ${other} exclude each other; set one`)
  }
  const secretAccessKey = settings.KMS_ROOT_SECRET_KEY.reveal()
  try {
    validateCredentials({ accessKeyId: settings.KMS_ROOT_ACCESS_KEY, secretAccessKey })
  } catch (error) {
    const { field, message } = error as CredentialsError
    const name = field === 'accessKeyId' ? 'KMS_ROOT_ACCESS_KEY' : 'KMS_ROOT_SECRET_KEY'
    throw settingsError(raw.get(name)?.origin ?? name, `is refused: ${message}`)
  }
}
