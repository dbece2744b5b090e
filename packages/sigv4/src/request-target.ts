import { SigV4Error } from './sigv4-error.ts'

/** An origin-form request target (RFC 9112 §3.2.1), cut at its first `?`; nothing is decoded. */
export interface RequestTarget {
  /** Begins with `/`. */
  readonly rawPath: string
  /** Without the `?`; empty when there is none. */
  readonly rawQuery: string
}

/**
 * Cuts a raw request target. Throws {@link SigV4Error} `InvalidURI` unless it is an origin-form target of visible ASCII.
 * `#` and `\` are refused because URL parsers would cut at the one and read the other as `/`: the handler would serve
 * another resource than the one that was signed.
 */
export function splitTarget(rawTarget: string): RequestTarget {
  let queryAt = -1
  for (let index = 0; index < rawTarget.length; index++) {
    const unit = rawTarget.charCodeAt(index)
    if (unit <= 0x20 || unit >= 0x7f || unit === 0x23 || unit === 0x5c) {
      throw new SigV4Error('InvalidURI', 'The request target has a character that must be percent-encoded.')
    }
    if (unit === 0x3f && queryAt < 0) queryAt = index
  }
  if (rawTarget.charCodeAt(0) !== 0x2f) {
    throw new SigV4Error('InvalidURI', 'The request target must begin with "/" (origin form).')
  }
  return queryAt < 0
    ? { rawPath: rawTarget, rawQuery: '' }
    : { rawPath: rawTarget.slice(0, queryAt), rawQuery: rawTarget.slice(queryAt + 1) }
}
