/** An error for the log, with what lay underneath. Never for a client. */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const { name, message, cause } = error
  const code = 'code' in error ? { code: error.code } : {}
  const stack = depth === 0 && error.stack !== undefined ? { stack: error.stack } : {}
  return {
    name,
    message,
    ...code,
    ...stack,
    ...(cause === undefined || depth >= 4 ? {} : { cause: describeError(cause, depth + 1) }),
  }
}
