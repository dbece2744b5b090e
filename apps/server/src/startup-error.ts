/** How the process ends; every number means one thing (README, "Exit codes"). */
export const exitCodes = {
  /** Anything else: a port that is taken, a bootstrap that failed, a second signal. */
  failed: 1,
  /** A setting is wrong; nothing was created. */
  settings: 2,
  /** Another server holds the data directory. */
  held: 3,
  /** What is stored cannot be opened: server key missing or wrong, newer format, damage. */
  state: 4,
} as const

/** Why the server does not start, for the operator at the terminal. The message holds no secret. */
export interface StartupError extends Error {
  readonly name: 'StartupError'
  readonly exitCode: number
}

export function startupError(exitCode: number, message: string, cause?: unknown): StartupError {
  return Object.assign(new Error(message, { cause }), { name: 'StartupError' as const, exitCode })
}

export function isStartupError(error: unknown): error is StartupError {
  return error instanceof Error && error.name === 'StartupError' && 'exitCode' in error
}

/** A setting that is wrong, and how. */
export function settingsError(setting: string, reason: string, cause?: unknown): StartupError {
  return startupError(exitCodes.settings, `${setting} ${reason}.`.replace(/([?.])\.$/, '$1'), cause)
}
