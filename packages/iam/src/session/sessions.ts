import { createSecretKey, hash, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Account } from '../account.ts'
import { type IamError, iamError } from '../iam-error.ts'
import type { Policy } from '../policy/policy.ts'
import type { Principal } from '../principal.ts'
import { createStoredCredential, type StoredCredential } from '../stored-credential.ts'
import { bindsSession, createSessionId, type SessionParent, sessionAccessKeyId, sessionSecret } from './session-keys.ts'
import { openSessionToken, type SessionClaims, sealSessionToken } from './session-token.ts'

/** Temporary credentials. Shown once, to whoever asked for them. */
export interface SessionCredentials {
  /** `ASIA` and 16 characters A–Z, 2–7. */
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** Milliseconds since 1970. */
  readonly expiration: number
}

/** Issues sessions and finds them by their tokens. Nothing is stored: a token says all there is to know. */
export interface Sessions {
  /** A session of an enabled account. Checks neither duration nor rights: see `createSts`. */
  issue(options: {
    readonly parent: Account
    readonly durationSeconds: number
    readonly policy?: Policy
  }): Promise<SessionCredentials>
  /**
   * The credential of a session, with the rights its parent has now. `parentOf` finds the parent by its access key and
   * is asked each time. Throws an IamError, or rejects with one: `ExpiredToken`, or `InvalidTokenId` for a token that
   * does not open, is not this access key's, or whose parent is gone, disabled or has changed.
   */
  find(
    accessKeyId: string,
    token: string,
    parentOf: (accessKeyId: string) => Account | undefined,
  ): StoredCredential | Promise<StoredCredential>
}

export interface SessionsOptions {
  /** The session subkey of the server key: 32 bytes. */
  readonly key: Uint8Array
  /** The one before; its tokens are still taken. */
  readonly previousKey?: Uint8Array
  /** How many opened tokens are remembered. Default 1000. */
  readonly maxCachedTokens?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
}

/** An opened token. */
interface OpenSession {
  readonly key: KeyObject
  readonly claims: SessionClaims
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** The last parent the session was found good for, and what came of it. */
  valid: { readonly parent: Account; readonly credential: StoredCredential } | undefined
}

/** Throws a TypeError for keys that are not 32 bytes. */
export function createSessions(options: SessionsOptions): Sessions {
  const { now = Date.now } = options
  const key = toKey(options.key)
  const keys = options.previousKey === undefined ? [key] : [key, toKey(options.previousKey)]
  const opened = new LRUCache<string, OpenSession>({ max: options.maxCachedTokens ?? 1000 })

  async function open(token: string, digest: string): Promise<OpenSession> {
    for (const candidate of keys) {
      const claims = await openSessionToken(candidate, token)
      if (claims !== undefined) {
        const session: OpenSession = {
          key: candidate,
          claims,
          accessKeyId: sessionAccessKeyId(candidate, claims.jti),
          secretAccessKey: sessionSecret(candidate, claims.jti),
          valid: undefined,
        }
        opened.set(digest, session)
        return session
      }
    }
    throw invalidToken()
  }

  function check(
    session: OpenSession,
    accessKeyId: string,
    parentOf: (accessKeyId: string) => Account | undefined,
  ): StoredCredential {
    const { claims } = session
    if (session.accessKeyId !== accessKeyId) throw invalidToken()
    if (now() >= claims.expiresAt) throw iamError('ExpiredToken', 'The session has expired. Ask for a new one.')
    const parent = parentOf(claims.parent)
    if (parent === undefined || parent.status !== 'enabled') throw invalidToken()
    // An account that is the same object has not changed since it was last checked.
    if (session.valid?.parent === parent) return session.valid.credential
    if (parent.changedAt >= claims.issuedAt || !bindsSession(session.key, claims.jti, parentKeyOf(parent))) {
      throw invalidToken()
    }
    const credential = createStoredCredential(sessionPrincipal(session, parent), session.secretAccessKey)
    session.valid = { parent, credential }
    return credential
  }

  return {
    async issue({ parent, durationSeconds, policy }) {
      const time = now()
      // A session is younger than the last change of its parent, even within one tick of the clock.
      const issuedAt = Math.max(time, parent.changedAt + 1)
      const expiresAt = time + durationSeconds * 1000
      const jti = createSessionId(key, parentKeyOf(parent))
      const name = parent.credential.principal.name
      return {
        accessKeyId: sessionAccessKeyId(key, jti),
        secretAccessKey: sessionSecret(key, jti),
        sessionToken: await sealSessionToken(key, { jti, parent: name, issuedAt, expiresAt, policy }),
        expiration: expiresAt,
      }
    },

    find(accessKeyId, token, parentOf) {
      const digest = hash('sha256', token, 'base64')
      const session = opened.get(digest)
      if (session !== undefined) return check(session, accessKeyId, parentOf)
      return open(token, digest).then((found) => check(found, accessKeyId, parentOf))
    },
  }
}

function sessionPrincipal({ accessKeyId, claims }: OpenSession, parent: Account): Principal {
  const { kind, name, policies } = parent.credential.principal
  const inline = claims.policy === undefined ? {} : { policy: claims.policy }
  const session = Object.freeze({ ...inline, expiresAt: claims.expiresAt })
  return Object.freeze({ kind, name, accessKeyId, policies, session })
}

function parentKeyOf({ credential }: Account): SessionParent {
  return { name: credential.principal.name, secretAccessKey: credential.secretAccessKey }
}

function toKey(bytes: Uint8Array): KeyObject {
  if (bytes.length !== 32) throw new TypeError('A session key must be 32 bytes.')
  return createSecretKey(bytes)
}

/** One error for all: what exactly is wrong with a token is nobody's business. */
function invalidToken(): IamError {
  return iamError('InvalidTokenId', 'The session token is not valid for this access key. Ask for a new session.')
}
