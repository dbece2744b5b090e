import { Buffer } from 'node:buffer'

/**
 * Of two values of `X-Vault-Index` the one to ask for. They are opaque, so the newer one counts; but answers overtake each
 * other, and where both can be read (base64 of `{"cluster","value"}`) and are of one cluster, the higher one does.
 */
export function laterIndex(known: string | undefined, seen: string): string {
  if (known === undefined || known === seen) return seen
  const [before, now] = [readIndex(known), readIndex(seen)]
  if (before === undefined || now === undefined || before.cluster !== now.cluster) return seen
  return now.value >= before.value ? seen : known
}

function readIndex(text: string): { readonly cluster: unknown; readonly value: bigint } | undefined {
  try {
    const { cluster, value } = JSON.parse(Buffer.from(text, 'base64').toString('utf8'))
    return typeof value === 'string' && /^\d{1,20}$/.test(value) ? { cluster, value: BigInt(value) } : undefined
  } catch {
    return undefined
  }
}
