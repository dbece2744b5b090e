/** A token, and for how long it is good. */
export interface Lease {
  readonly token: string
  /** When it expires, by our clock and counted from before it was asked for; unset: never. */
  readonly expiresAt?: number
  /** Milliseconds from then to the expiry. */
  readonly ttlMs?: number
  readonly renewable: boolean
}

/** A lease of so many seconds; 0 is Vault's word for one without end. */
export function leaseOf(token: string, seconds: unknown, renewable: unknown, askedAt: number): Lease {
  if (typeof seconds !== 'number' || !(seconds > 0)) return { token, renewable: false }
  const ttlMs = seconds * 1000
  return { token, ttlMs, expiresAt: askedAt + ttlMs, renewable: renewable === true }
}

/** A lease as `auth/token/lookup-self` describes it: there, 0 seconds may also be the last moment of a life. */
export function leaseFromLookup(token: string, data: Readonly<Record<string, unknown>>, askedAt: number): Lease {
  const { ttl, expire_time: expiry, renewable } = data
  if (typeof expiry !== 'string') return { token, renewable: false }
  return leaseOf(token, typeof ttl === 'number' ? Math.max(1, ttl) : 1, renewable, askedAt)
}
