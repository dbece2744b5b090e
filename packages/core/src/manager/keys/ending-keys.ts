import type { Realm } from '../../envelope/envelope.ts'
import type { KeyRecord } from '../../keys/key-backend.ts'

/**
 * Keys whose end is being decided: what needs them is being counted, and nothing is wrapped under them until that is over.
 * Whoever wraps, counts that use, and then asks whether the key may still be used, is therefore either counted or told: nothing
 * is kept that only a destroyed key would open.
 */
export interface EndingKeys {
  /** From now on whoever would use the key waits, until the result is called. */
  begin(realm: Realm, keyId: string): () => void
  /** Resolves when it is decided about a key; what was read of it before is old then. `undefined` where nothing is decided. */
  decision(realm: Realm, keyId: string): Promise<void> | undefined
}

/** The record of a key that nothing is being decided about: it is read again once that is over. */
export async function decided(
  ending: EndingKeys,
  { realm }: { readonly realm: Realm },
  read: () => Promise<KeyRecord>,
): Promise<KeyRecord> {
  for (;;) {
    const record = await read()
    const decision = ending.decision(realm, record.keyId)
    if (decision === undefined) return record
    await decision
  }
}

interface Decision {
  /** Several may be deciding at the same time. */
  deciding: number
  readonly over: Promise<void>
  readonly end: () => void
}

export function createEndingKeys(): EndingKeys {
  const decisions = new Map<string, Decision>()
  return {
    begin(realm, keyId) {
      const name = `${realm} ${keyId}`
      const decision = decisions.get(name) ?? newDecision()
      decisions.set(name, decision)
      decision.deciding += 1
      return () => {
        decision.deciding -= 1
        if (decision.deciding > 0) return
        decisions.delete(name)
        decision.end()
      }
    },
    decision: (realm, keyId) => (decisions.size === 0 ? undefined : decisions.get(`${realm} ${keyId}`)?.over),
  }
}

function newDecision(): Decision {
  let end = (): void => {}
  const over = new Promise<void>((resolve) => {
    end = resolve
  })
  return { deciding: 0, over, end }
}
