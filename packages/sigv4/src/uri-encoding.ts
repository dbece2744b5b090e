import { SigV4Error } from './sigv4-error.ts'

/** RFC 3986 §2.3: the characters a signature never escapes. */
const unreserved: Uint8Array = new Uint8Array(128)
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~') {
  unreserved[character.charCodeAt(0)] = 1
}

const leftByEncodeUriComponent = /[!'()*]/g

function escapeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

/**
 * AWS `UriEncode` (IAM User Guide, "Create a signed AWS API request", canonical URI): every byte of the UTF-8 form but
 * the unreserved characters becomes `%XY` in capitals. Throws `URIError` for a lone surrogate.
 */
export function uriEncode(text: string): string {
  return isUnreserved(text) ? text : encodeURIComponent(text).replace(leftByEncodeUriComponent, escapeCharacter)
}

/** As {@link uriEncode}, with `/` kept. */
export function uriEncodePath(text: string): string {
  return isUnreserved(text, SLASH) ? text : uriEncode(text).replaceAll('%2F', '/')
}

/** Percent-decodes; throws {@link SigV4Error} `InvalidURI` for a broken escape or bytes that are not UTF-8. */
export function uriDecode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw new SigV4Error('InvalidURI', 'The request target has a percent escape that is broken or is not UTF-8.')
  }
}

export const SLASH = 0x2f

/** Whether encoding `text` would change nothing. `also` is one more character code to let pass. */
export function isUnreserved(text: string, also = -1): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unreserved[unit] !== 1 && unit !== also) return false
  }
  return true
}
