import type { BackendWatch } from './backend-watch.ts'
import { pause } from './pause.ts'
import type { SoakBackend } from './soak-backends.ts'
import { must, type SoakClient, type SoakReply } from './soak-client.ts'
import type { SoakRandom } from './soak-random.ts'
import type { Timeline } from './timeline.ts'

/** What is done to the service while it is under load. */
export interface Moves {
  /** Makes moves until so many changes of the configuration have taken place. */
  make(reconfigurations: number): Promise<void>
  /** By kind: how often it was made. */
  readonly made: Readonly<Record<string, number>>
  readonly counts: {
    /** Changes that took place. */
    readonly reconfigurations: number
    readonly vaultRestarts: number
    /** Seconds from the moment a restarted Vault answers until the service uses it again. */
    readonly slowestRecovery: number
  }
}

export interface MovesOptions {
  readonly client: SoakClient
  readonly backends: readonly SoakBackend[]
  readonly random: SoakRandom
  /** Told when a change begins and ends. */
  readonly swaps: Timeline
  readonly watch: BackendWatch
  readonly log: (line: string) => void
}

type Kind = 'move' | 'setting' | 'rollback' | 'confirmed' | 'dry run' | 'bad' | 'restart of a Vault'

/** How often each kind comes up. */
const WEIGHTS: readonly (readonly [Kind, number])[] = [
  ['move', 45],
  ['setting', 20],
  ['rollback', 10],
  ['confirmed', 8],
  ['dry run', 5],
  ['bad', 9],
  ['restart of a Vault', 3],
]
/** A change that is refused because a Vault is down is no news; one that is refused for anything else is. */
const REFUSED_BY_TROUBLE: ReadonlySet<unknown> = new Set(['BackendUnavailable', 'BackendTimeout', 'ProofFailed'])
const MAX_PAUSE_MS = 300

export function createMoves({ client, backends, random, swaps, watch, log }: MovesOptions): Moves {
  const made: Record<string, number> = {}
  const counts = { reconfigurations: 0, vaultRestarts: 0, slowestRecovery: 0 }
  const vaults = backends.filter(({ vault }) => vault !== undefined)
  const total = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0)
  let restarting: Promise<void> | undefined

  function choose(): Kind {
    let dice = random.below(total)
    for (const [kind, weight] of WEIGHTS) {
      if (dice < weight) return kind
      dice -= weight
    }
    return 'move'
  }

  /** Runs a change of the configuration, noted while it is under way. */
  async function change(place: string | undefined, path: string, body: object): Promise<SoakReply> {
    const ended = swaps.begin('change')
    const arrived = place === undefined ? undefined : watch.heading(place)
    const from = performance.now()
    try {
      const reply = await client.send('POST', path, body)
      const { status, body: answer } = reply
      if (status === 200) {
        if (!String(answer['message']).startsWith('unchanged')) counts.reconfigurations++
        return reply
      }
      const excused = REFUSED_BY_TROUBLE.has(answer['code']) && watch.down.overlaps(from, performance.now())
      if (!excused) throw new Error(`${path} ${JSON.stringify(body)} was refused: ${status} ${JSON.stringify(answer)}`)
      return reply
    } finally {
      ended()
      arrived?.()
    }
  }

  const kinds: Readonly<Record<Kind, () => Promise<unknown>>> = {
    move() {
      const { place, config } = random.pick(backends)
      return change(place, 'reconfigure', config)
    },

    setting: () =>
      change(
        undefined,
        'reconfigure',
        random.pick([
          { cache_ttl_seconds: 1 + random.below(600) },
          { enable_cache: random.below(2) === 0 },
          { max_cached_keys: 1 + random.below(5000) },
          { timeout_seconds: 5 + random.below(30), retry_attempts: random.below(6) },
        ]),
      ),

    async rollback() {
      const { body } = await must(client.send('GET', 'config/history'))
      const { revision } = random.pick(body['revisions'] as { revision: number }[])
      // It may lead anywhere.
      const arrivals = backends.map(({ place }) => watch.heading(place))
      await change(undefined, 'rollback', { revision })
      for (const arrived of arrivals) arrived()
    },

    async confirmed() {
      const { place, config } = random.pick(backends)
      const reply = await change(place, 'reconfigure?confirm_within=60', config)
      if (reply.status !== 200 || String(reply.body['message']).startsWith('unchanged')) return
      const confirmation = await client.send('POST', 'confirm')
      // The service may have returned by itself meanwhile: then there is nothing left to confirm.
      if (confirmation.status === 200 || confirmation.body['code'] === 'NothingToConfirm') return
      throw new Error(`confirm was refused: ${JSON.stringify(confirmation.body)}`)
    },

    'dry run': () => client.send('POST', 'reconfigure?dry_run=true', random.pick(backends).config),

    async bad() {
      const bad = random.pick([{ timeout_seconds: 0 }, { nonsense: 1 }, { default_key_id: 'absent' }, { key_dir: 'x' }])
      const reply = await client.send('POST', 'reconfigure', bad)
      if (reply.status < 400) throw new Error(`a bad configuration was taken: ${JSON.stringify(bad)}`)
    },

    async 'restart of a Vault'() {
      if (vaults.length === 0 || restarting !== undefined) return
      counts.vaultRestarts++
      restarting = restart(random.pick(vaults)).finally(() => {
        restarting = undefined
      })
    },
  }

  async function restart({ place, vault }: SoakBackend): Promise<void> {
    log(`killing the Vault at ${place}`)
    const mended = watch.down.begin(place)
    await vault?.kill()
    await pause(random.below(1500))
    await vault?.start()
    await vault?.unseal()
    const seconds = await watch.untilAnswering(place)
    mended()
    counts.slowestRecovery = Math.max(counts.slowestRecovery, seconds)
    log(`the Vault at ${place} is back, and was used again after ${seconds.toFixed(1)} s`)
  }

  return {
    made,
    counts,
    async make(wanted) {
      while (counts.reconfigurations < wanted) {
        const kind = choose()
        made[kind] = (made[kind] ?? 0) + 1
        await kinds[kind]()
        await pause(random.below(MAX_PAUSE_MS))
      }
      await restarting
    },
  }
}
