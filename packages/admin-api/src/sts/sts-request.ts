import type { Buffer } from 'node:buffer'
import { kmsError } from '@kms/core'
import { readQuery } from '../request/read-query.ts'

const ACTIONS = ['AssumeRole', 'GetSessionToken', 'GetCallerIdentity'] as const
type Action = (typeof ACTIONS)[number]

/** A request of the STS query protocol, read. */
export type StsRequest =
  | { readonly action: 'GetCallerIdentity' }
  | { readonly action: 'GetSessionToken'; readonly durationSeconds: number | undefined }
  | {
      readonly action: 'AssumeRole'
      readonly durationSeconds: number | undefined
      readonly roleArn: string | undefined
      readonly roleSessionName: string | undefined
      readonly policy: string | undefined
    }

/**
 * What each action takes. Anything else is refused, not ignored: `PolicyArns` limits a session and `TokenCode` guards one,
 * so a client that sends them counts on them.
 */
const PARAMETERS: Readonly<Record<Action, readonly string[]>> = {
  AssumeRole: ['RoleArn', 'RoleSessionName', 'DurationSeconds', 'Policy', 'ExternalId'],
  GetSessionToken: ['DurationSeconds'],
  GetCallerIdentity: [],
}

const VERSION = '2011-06-15'
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a form (`Action=…&Version=2011-06-15&…`). Throws `ValidationError` naming the parameter, `UnsupportedOperation`
 * for actions there are none of, `InvalidRequest` for what is no form.
 */
export function readStsRequest(body: Buffer): StsRequest {
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    throw kmsError('InvalidRequest', { reason: 'The body is not valid UTF-8.' })
  }
  const form = readQuery(text)
  const action = ACTIONS.find((known) => known === form.get('Action'))
  if (action === undefined) {
    if (!form.has('Action')) throw kmsError('ValidationError', { path: 'Action', reason: 'is required' })
    throw kmsError('UnsupportedOperation', { reason: `The actions there are: ${ACTIONS.join(', ')}.` })
  }
  if (form.get('Version') !== VERSION) {
    throw kmsError('ValidationError', { path: 'Version', reason: `must be ${VERSION}` })
  }
  for (const name of form.keys()) {
    if (name === 'Action' || name === 'Version' || PARAMETERS[action].includes(name)) continue
    throw kmsError('ValidationError', { path: name.slice(0, 64), reason: `is not supported for ${action}` })
  }
  if (action === 'GetCallerIdentity') return { action }
  const durationSeconds = readDuration(form.get('DurationSeconds'))
  if (action === 'GetSessionToken') return { action, durationSeconds }
  return {
    action,
    durationSeconds,
    roleArn: form.get('RoleArn'),
    roleSessionName: form.get('RoleSessionName'),
    policy: form.get('Policy'),
  }
}

function readDuration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw kmsError('ValidationError', { path: 'DurationSeconds', reason: 'must be a whole number' })
}
