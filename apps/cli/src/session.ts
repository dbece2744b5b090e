import { readFileSync } from 'node:fs'
import { createKmsClient, createObjectsClient, type KmsClient, type ObjectsClient } from '@kms/client'
import { usageError } from './exit-codes.ts'
import type { Io } from './io.ts'
import { type Profile, profilePath, readProfiles } from './profiles.ts'

/** Options every command takes. */
export interface GlobalOptions {
  readonly profile?: string
  readonly endpoint?: string
  readonly region?: string
  readonly ca?: string
  readonly json?: boolean
}

/** Where a command goes and as whom. */
export interface Target {
  readonly endpoint: string
  readonly ca: string | undefined
  readonly credentials:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
    | undefined
  /** The profile it came from, if there is one. */
  readonly profile: string | undefined
  readonly region: string | undefined
}

/** A flag wins over the environment, the environment over the profile. */
export function findTarget(options: GlobalOptions, { env }: Pick<Io, 'env'>): Target {
  const file = readProfiles(profilePath({ env }))
  const name = options.profile ?? env['KMSCTL_PROFILE'] ?? file.current
  const profile: Profile = name === undefined ? {} : (file.profiles[name] ?? {})
  if (name !== undefined && file.profiles[name] === undefined) {
    throw usageError(`There is no profile called ${name}. kmsctl profile list shows those there are.`)
  }
  const endpoint = options.endpoint ?? env['KMSCTL_ENDPOINT'] ?? profile.endpoint ?? 'http://127.0.0.1:9000'
  if (!/^https?:\/\/[^/]/.test(endpoint)) throw usageError(`The endpoint ${endpoint} is no http or https URL.`)
  const caFile = options.ca ?? env['KMSCTL_CA'] ?? profile.ca_file
  const fromEnvironment = env['KMSCTL_ACCESS_KEY'] !== undefined
  const accessKeyId = env['KMSCTL_ACCESS_KEY'] ?? profile.access_key
  const secretAccessKey = fromEnvironment ? env['KMSCTL_SECRET_KEY'] : profile.secret_key
  const sessionToken = fromEnvironment ? env['KMSCTL_SESSION_TOKEN'] : profile.session_token
  if (accessKeyId !== undefined && secretAccessKey === undefined) {
    throw usageError('An access key is given without its secret. Set KMSCTL_SECRET_KEY.')
  }
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
  return {
    endpoint,
    ca: caFile === undefined ? undefined : readText(caFile),
    credentials,
    profile: name,
    region: options.region ?? env['KMSCTL_REGION'] ?? profile.region,
  }
}

export function connect({ endpoint, ca, credentials, region }: Target, { wait }: Pick<Io, 'wait'>): KmsClient {
  return createKmsClient({
    endpoint,
    wait,
    ...(ca === undefined ? {} : { ca }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(region === undefined ? {} : { region }),
  })
}

export function connectToObjects(
  { endpoint, ca, credentials, region }: Target,
  { wait }: Pick<Io, 'wait'>,
): ObjectsClient {
  if (credentials === undefined) {
    throw usageError('Objects need credentials. Set KMSCTL_ACCESS_KEY and KMSCTL_SECRET_KEY, or make a profile.')
  }
  return createObjectsClient({
    endpoint,
    wait,
    credentials,
    ...(ca === undefined ? {} : { ca }),
    ...(region === undefined ? {} : { region }),
  })
}

export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw usageError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`, error)
  }
}
