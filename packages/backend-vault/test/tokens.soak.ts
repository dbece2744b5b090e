import { randomBytes } from 'node:crypto'
import type { PeerTelemetry } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { makeAppRole } from '../../../tools/openbao/prepare.ts'
import { liveVault, openLive } from './live-vault.ts'

/** As the issue of long-lived services is: every token ends, most of them while something is under way. */
const TTL = { token_ttl: '10s', token_max_ttl: '30s' }
const CHANGES = 50

describe('tokens of ten seconds', () => {
  const vault = liveVault()

  it(`${CHANGES} renewals and logins, and not one failed request`, async () => {
    const counts = new Map<string, number>()
    const peer: PeerTelemetry = {
      headers: () => ({}),
      attempted(request, outcome) {
        const name = `${request} ${outcome}`
        counts.set(name, (counts.get(name) ?? 0) + 1)
      },
    }
    const count = (name: string): number => counts.get(name) ?? 0
    const changes = (): number => count('token-renew ok') + count('login ok')
    const approle = await makeAppRole(vault.server, { settings: TTL })
    const { backend } = await openLive(vault.server, { auth_method: { approle }, retry_attempts: 0 }, { peer })
    const record = await backend.describe('rustfs-master')
    const { keyId, currentVersion: version, materialId } = record
    const failures: unknown[] = []
    let answered = 0

    async function traffic(): Promise<void> {
      while (changes() < CHANGES) {
        const plaintext = randomBytes(32)
        const aad = randomBytes(32)
        try {
          const wrapped = await backend.wrap({ keyId, version, plaintext, aad })
          const opened = await backend.unwrap({
            keyId,
            version,
            algorithm: backend.algorithm,
            materialId,
            wrapped,
            aad,
          })
          expect(opened.equals(plaintext)).toBe(true)
          answered += 2
        } catch (error) {
          failures.push(error)
        }
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }

    const startedAt = Date.now()
    await Promise.all(Array.from({ length: 4 }, traffic))
    const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1)
    console.log(`${answered} answers in ${minutes} min; ${[...counts].map(([name, n]) => `${name}: ${n}`).join(', ')}`)
    expect(failures.map(String)).toEqual([])
    expect(count('login ok')).toBeGreaterThan(5)
    expect(count('token-renew ok')).toBeGreaterThan(10)
    await backend.close()
  })
})
