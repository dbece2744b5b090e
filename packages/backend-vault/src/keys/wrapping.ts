import type { Buffer } from 'node:buffer'
import {
  isKmsError,
  type KmsError,
  kmsError,
  type Realm,
  type UnwrapRequest,
  VAULT_TRANSIT,
  type WrapRequest,
} from '@kms/core'
import type { Operation } from '../transport/operation.ts'
import type { KeyView } from './key-view.ts'
import type { KeyViews } from './key-views.ts'
import type { BatchOutcome, Encrypted, ItemOutcome, Transit } from './transit.ts'
import { transitMaterialId } from './transit-key.ts'

/** The verbs of the data path, as `KeyBackend` has them. */
export interface Wrapping {
  wrap(operation: Operation, request: WrapRequest): Promise<Buffer>
  unwrap(operation: Operation, request: UnwrapRequest): Promise<Buffer>
  wrapMany(operation: Operation, requests: readonly WrapRequest[]): Promise<readonly (Buffer | KmsError)[]>
  unwrapMany(operation: Operation, requests: readonly UnwrapRequest[]): Promise<readonly (Buffer | KmsError)[]>
}

export interface WrappingOptions {
  readonly realm: Realm
  readonly transit: Transit
  readonly views: KeyViews
  /** Where the store is, for messages. */
  readonly place: string
}

type Refusal = 'refused' | 'denied'
type Look = () => Promise<KeyView>

/**
 * Wraps and unwraps with Transit, one request each. It goes by what was known of the key a moment ago; what Transit refuses
 * is explained by reading the key again.
 */
export function createWrapping({ realm, transit, views, place }: WrappingOptions): Wrapping {
  async function viewToWrap(operation: Operation, keyId: string, version: number): Promise<KeyView> {
    let view = await views.known(operation, keyId)
    if (view.record.currentVersion !== version) view = await views.get(operation, keyId)
    requireUsable(view)
    if (view.record.currentVersion !== version) throw kmsError('KeyVersionNotCurrent', { key: keyId })
    return view
  }

  /** Why Transit did not encrypt under a key that was there a moment ago; `look` reads it again. */
  async function whyNotWrapped({ keyId, version }: WrapRequest, outcome: Refusal, look: Look): Promise<KmsError> {
    const view = await look()
    requireUsable(view)
    if (view.record.currentVersion !== version) return kmsError('KeyVersionNotCurrent', { key: keyId })
    if (outcome === 'denied') return denied(`encrypt under the key "${keyId}"`)
    return kmsError('KeyUnavailable', { key: keyId, reason: 'Transit refuses to encrypt under it' })
  }

  /** Why Transit did not decrypt; `look` reads the key again. */
  async function whyNotUnwrapped(request: UnwrapRequest, outcome: Refusal, look: Look): Promise<KmsError> {
    const { keyId, version } = request
    const view = await look()
    requireUsable(view)
    if (outcome === 'denied') return denied(`decrypt under the key "${keyId}"`)
    const { oldestVersion, oldestAvailable, latestVersion } = view.transit
    if (version < oldestVersion && version <= latestVersion) {
      const reason =
        version < oldestAvailable
          ? `version ${version} was trimmed in Transit`
          : `Transit's min_decryption_version is ${oldestVersion}, so version ${version} may not decrypt; lower it there`
      return kmsError('KeyUnavailable', { key: keyId, reason })
    }
    return unopened(view, request)
  }

  function unopened(view: KeyView, { keyId, version, materialId }: UnwrapRequest): KmsError {
    if (transitMaterialId(realm, view.transit, version) === materialId) return kmsError('InvalidCiphertext')
    return kmsError('KeyMaterialReplaced', { key: keyId, version })
  }

  function denied(what: string): KmsError {
    return kmsError('BackendDenied', { store: place, what, reason: 'the policy of its token does not allow that' })
  }

  return {
    async wrap(operation, request) {
      const { keyId, version } = request
      await viewToWrap(operation, keyId, version)
      const outcome = await transit.encrypt(operation, keyId, request)
      if (isRefusal(outcome)) throw await whyNotWrapped(request, outcome, () => views.get(operation, keyId))
      const wrapped = bytesOf(outcome, request)
      if (isKmsError(wrapped)) throw wrapped
      return wrapped
    },

    async unwrap(operation, request) {
      const { keyId, algorithm } = request
      const view = await views.known(operation, keyId)
      if (algorithm !== VAULT_TRANSIT) throw unopened(view, request)
      requireUsable(view)
      const outcome = await transit.decrypt(operation, keyId, request)
      if (isRefusal(outcome)) throw await whyNotUnwrapped(request, outcome, () => views.get(operation, keyId))
      return outcome
    },

    async wrapMany(operation, requests) {
      const [first] = requests
      if (first === undefined) return []
      const { keyId, version } = first
      const view = await sameForAll(viewToWrap(operation, keyId, version))
      if (isKmsError(view)) return requests.map(() => view)
      const outcomes = await transit.encryptMany(operation, keyId, requests)
      const look = once(() => views.get(operation, keyId))
      return settle(requests, outcomes, bytesOf, (request, outcome) => whyNotWrapped(request, outcome, look))
    },

    async unwrapMany(operation, requests) {
      const [first] = requests
      if (first === undefined) return []
      const { keyId } = first
      const view = await sameForAll(views.known(operation, keyId))
      if (isKmsError(view)) return requests.map(() => view)
      const ours = requests.filter(({ algorithm }) => algorithm === VAULT_TRANSIT)
      const outcomes = ours.length === 0 ? [] : await transit.decryptMany(operation, keyId, ours)
      const look = once(() => views.get(operation, keyId))
      const opened = await settle(
        ours,
        outcomes,
        (plaintext: Buffer) => plaintext,
        (request, outcome) => whyNotUnwrapped(request, outcome, look),
      )
      const answers = opened.values()
      return requests.map((request) => {
        const foreign = request.algorithm !== VAULT_TRANSIT
        return foreign ? unopened(view, request) : (answers.next().value as Buffer | KmsError)
      })
    },
  }
}

function requireUsable({ record }: KeyView): void {
  if (record.problem !== undefined) {
    throw kmsError('KeyUnavailable', { key: record.keyId, reason: record.problem })
  }
}

/** Formats §2: what was not made under the version in the header never leaves. */
function bytesOf({ version: under, wrapped }: Encrypted, { keyId, version }: WrapRequest): Buffer | KmsError {
  return under === version ? wrapped : kmsError('KeyVersionNotCurrent', { key: keyId })
}

function isRefusal<T>(outcome: ItemOutcome<T>): outcome is Refusal {
  return outcome === 'refused' || outcome === 'denied'
}

async function settle<Request, T>(
  requests: readonly Request[],
  outcomes: readonly BatchOutcome<T>[],
  good: (outcome: T, request: Request) => Buffer | KmsError,
  why: (request: Request, outcome: Refusal) => Promise<KmsError>,
): Promise<readonly (Buffer | KmsError)[]> {
  const answers: (Buffer | KmsError)[] = []
  for (const [i, request] of requests.entries()) {
    const outcome = outcomes[i] as BatchOutcome<T>
    if (isKmsError(outcome)) answers.push(outcome)
    else answers.push(isRefusal(outcome) ? await asOutcome(why(request, outcome)) : good(outcome, request))
  }
  return answers
}

/** Turns the failure of one request among several into its answer. */
async function asOutcome<T>(work: Promise<T>): Promise<T | KmsError> {
  try {
    return await work
  } catch (error) {
    if (!isKmsError(error)) throw error
    return error
  }
}

/** What is wrong with a key is the answer to every request for it; what keeps the store from answering is none. */
async function sameForAll<T>(work: Promise<T>): Promise<T | KmsError> {
  const outcome = await asOutcome(work)
  if (isKmsError(outcome, 'BackendUnavailable', 'BackendTimeout')) throw outcome
  return outcome
}

/** Does `work` when it is first asked for, and gives everyone its outcome. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined
  return () => {
    done ??= work()
    return done
  }
}
