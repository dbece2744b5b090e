/** As S3 writes times in XML. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** As HTTP writes them (RFC 9110 §5.6.7). */
export function httpTime(ms: number): string {
  return new Date(ms).toUTCString()
}
