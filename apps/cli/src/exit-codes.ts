import { isKmsClientError } from '@kms/client'

/** What the caller's shell learns. */
export const exitCodes = {
  ok: 0,
  /** Anything that has no code of its own. */
  failed: 1,
  /** The command line, a profile or a file is wrong; nothing was sent. */
  usage: 2,
  /** The server did not let this caller do that. */
  denied: 3,
  notFound: 4,
  /** The state of things does not allow it, or somebody else came first. */
  conflict: 5,
  /** The server, or its key store, cannot be reached or does not serve. */
  unavailable: 6,
  /** Something was looked for and found: a problem, or a difference. */
  found: 7,
} as const

/** An error with the exit code it ends with. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

export function usageError(message: string, cause?: unknown): CliError {
  return new CliError(exitCodes.usage, message, cause === undefined ? undefined : { cause })
}

/** The exit code of any error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode
  if (!isKmsClientError(error)) return exitCodes.failed
  const { status } = error
  if (status === 403 || status === 429) return exitCodes.denied
  if (status === 404) return exitCodes.notFound
  if (status === 409 || status === 412) return exitCodes.conflict
  if (status === 0 || status === 503 || status === 504) return exitCodes.unavailable
  return exitCodes.failed
}
