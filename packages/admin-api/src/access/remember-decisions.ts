import type { Authorize } from '@kms/core'

/** Decides on each key once, however often it is asked. For one caller, one operation and one encryption context. */
export function rememberDecisions(authorize: Authorize): Authorize {
  const decisions = new Map<string, { readonly refusal?: unknown }>()
  return (keyId) => {
    let decision = decisions.get(keyId)
    if (decision === undefined) {
      decision = decide(authorize, keyId)
      decisions.set(keyId, decision)
    }
    if ('refusal' in decision) throw decision.refusal
  }
}

function decide(authorize: Authorize, keyId: string): { readonly refusal?: unknown } {
  try {
    authorize(keyId)
    return {}
  } catch (refusal) {
    return { refusal }
  }
}
