/** Waits between attempts at what has to succeed in the end, in milliseconds; the last one repeats. */
export const RETRY_MS = [1000, 2000, 4000, 8000, 16_000, 30_000] as const
