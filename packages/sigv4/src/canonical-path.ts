import { isUnreserved, SLASH, uriDecode, uriEncodePath } from './uri-encoding.ts'

/**
 * The canonical URI of a raw path (IAM User Guide, "Create a signed AWS API request").
 *
 * - `s3`: decoded, then encoded once; nothing is normalised, so `/a/../b` is the key `a/../b`. As in S3 itself, `%2F` and
 *   `/` are the same.
 * - any other service: dot segments and empty segments are removed, then the path as sent (already encoded once) is
 *   encoded again.
 *
 * Throws `SigV4Error` `InvalidURI` for a broken escape, whatever the service.
 */
export function canonicalPath(rawPath: string, service: string): string {
  if (service === 's3') {
    return isUnreserved(rawPath, SLASH) ? rawPath : uriEncodePath(uriDecode(rawPath))
  }
  uriDecode(rawPath)
  return uriEncodePath(normalisePath(rawPath))
}

/**
 * Other spellings real clients sign, besides {@link canonicalPath}. Each is bound to exactly the path that was sent, so
 * no signature fits two resources:
 *
 * - the path as sent: curl below 8.4 and botocore for S3;
 * - for services other than `s3`, the path as sent encoded again without normalising it: awscurl. Signing the path as
 *   sent is then recognised only where it has no `%25`, because `/a%2520b` is also what signing `/a%20b` yields.
 */
export function otherPathSpellings(rawPath: string, service: string): readonly string[] {
  if (service === 's3') return [rawPath]
  const encoded = uriEncodePath(rawPath)
  return rawPath.includes('%25') ? [encoded] : [encoded, rawPath]
}

/** RFC 3986 §5.2.4, with empty segments removed as well; a trailing slash stays. */
function normalisePath(path: string): string {
  if (!path.includes('//') && !path.includes('/.')) return path
  const kept: string[] = []
  const segments = path.split('/')
  for (const segment of segments) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  const last = segments.at(-1)
  const directory = kept.length > 0 && (last === '' || last === '.' || last === '..')
  return `/${kept.join('/')}${directory ? '/' : ''}`
}
