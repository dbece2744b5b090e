/**
 * A path from its pieces: each is cut at its slashes and every segment is encoded by itself. Throws a `RangeError` for an
 * empty segment, `.` and `..`: a URL with one of them means another path.
 */
export function encodeVaultPath(pieces: readonly string[]): string {
  return pieces
    .flatMap((piece) => piece.split('/'))
    .map((segment) => {
      if (segment === '' || segment === '.' || segment === '..') {
        throw new RangeError('a segment of a Vault path is empty or dots alone')
      }
      return encodeURIComponent(segment)
    })
    .join('/')
}
