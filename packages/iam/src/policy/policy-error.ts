/** A policy document that breaks the grammar. Recognise it by `code`. */
export interface PolicyError extends Error {
  readonly code: 'MalformedPolicyDocument'
  /** Where in the document, as `Statement[0].Condition.StringEquals`; empty for the document itself. */
  readonly path: string
}

/** `problem` names what to change; it may quote element names, never more of the document. */
export function policyError(path: string, problem: string): PolicyError {
  const message = path === '' ? `The policy ${problem}` : `${path} ${problem}`
  return Object.assign(new Error(message), { name: 'PolicyError', code: 'MalformedPolicyDocument' as const, path })
}

/** Whether `error` was thrown by `parsePolicy`. */
export function isPolicyError(error: unknown): error is PolicyError {
  return error instanceof Error && 'code' in error && error.code === 'MalformedPolicyDocument'
}
