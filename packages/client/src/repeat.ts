import { isKmsClientError, type KmsClientError } from './client-error.ts'

export interface RepeatOptions {
  readonly timeoutMs: number
  readonly retries?: number
  readonly wait?: (milliseconds: number) => Promise<void>
}

/** Waits before the second attempt and on, in milliseconds. */
const BACKOFF_MS = [200, 1000, 3000] as const

/** Makes what sends a request again where that is safe; `repeatable`: where it does no harm when done twice. */
export function createRepeater({
  timeoutMs,
  retries = 3,
  wait = defaultWait,
}: RepeatOptions): <T>(attempt: () => Promise<T>, repeatable: boolean) => Promise<T> {
  return async (attempt, repeatable) => {
    for (let sent = 1; ; sent++) {
      try {
        return await attempt()
      } catch (error) {
        if (sent > retries || !isKmsClientError(error) || !mayRepeat(repeatable, error)) throw error
        const pause = BACKOFF_MS[Math.min(sent, BACKOFF_MS.length) - 1] as number
        await wait(Math.min(Math.max(pause, (error.retryAfterSeconds ?? 0) * 1000), timeoutMs))
      }
    }
  }
}

/** What was never begun may be sent again, and so may what does no harm when done twice, while the server asks for patience. */
function mayRepeat(repeatable: boolean, { notSent, status, code }: KmsClientError): boolean {
  // A certificate that is not trusted will not be the next time either.
  if (code === 'CertificateRefused') return false
  return notSent || (repeatable && (status === 0 || status === 429 || status === 503 || status === 504))
}

function defaultWait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}
