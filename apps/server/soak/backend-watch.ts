import { pause } from './pause.ts'
import type { SoakBackend } from './soak-backends.ts'
import { must, type SoakClient } from './soak-client.ts'
import { createTimeline, type Timeline } from './timeline.ts'

/** What is known of the backends while the service is rewired. */
export interface BackendWatch {
  /** Backends that do not answer, by place. */
  readonly down: Timeline
  /** Notes that the service is being moved somewhere; the returned function notes that it is there, or is not. */
  heading(place: string): () => void
  /** Whether a request may have met a backend that did not answer; without an envelope it wraps. */
  readonly mayHaveMetTrouble: (from: number, to: number, envelope: string | undefined) => boolean
  /** Resolves when the service opens an envelope of the backend at a place again; how long that took, in seconds. */
  untilAnswering(place: string): Promise<number>
  /** Resolves when the service shows every backend healthy. */
  untilHealthy(): Promise<void>
  stop(): void
}

type Summary = Readonly<Record<string, unknown>>

/** How often the service is looked at. What it shows is that old at most. */
const LOOK_MS = 250
const PATIENCE_MS = 120_000
/** Longer than what the server keeps of data keys. */
const SAMPLE = Buffer.alloc(64, 'sample').toString('base64')

/**
 * Moves the service to each backend once, so that each is known, and begins to watch. `first` is where it ends up.
 */
export async function watchBackends(
  client: SoakClient,
  backends: readonly SoakBackend[],
  first: SoakBackend,
): Promise<BackendWatch> {
  const down = createTimeline()
  const serving = createTimeline()
  const placeOfRealm = new Map<string, string>()
  /** An envelope of each backend that no cache keeps. */
  const samples = new Map<string, string>()
  for (const { place, config } of [...backends.filter((each) => each !== first), first]) {
    await must(client.send('POST', 'reconfigure', config))
    const { body } = await must(client.send('POST', 'encrypt', { plaintext: SAMPLE }))
    const ciphertext = body['ciphertext_blob'] as string
    samples.set(place, ciphertext)
    placeOfRealm.set(realmOf(ciphertext), place)
  }
  let current = first.place
  let leave = serving.begin(current)
  const timer = setInterval(() => void look(), LOOK_MS)

  async function look(): Promise<void> {
    const { body } = await client.send('GET', 'status')
    const { backend_summary: summary } = body['config_summary'] as { backend_summary: Summary }
    const place = String(summary['key_dir'] ?? summary['address'])
    if (place === current) return
    // It may have been somewhere else since the last look: for a while both are possible.
    setTimeout(leave, 2 * LOOK_MS)
    current = place
    leave = serving.begin(current)
  }

  async function isHealthy(): Promise<boolean> {
    const [{ body: status }, { body: retired }] = await Promise.all([
      client.send('GET', 'status'),
      client.send('GET', 'retired'),
    ])
    const stores = retired['stores'] as { healthy: boolean | null }[]
    return status['healthy'] === true && stores.every(({ healthy }) => healthy === true)
  }

  async function within(what: string, isSo: () => Promise<boolean>): Promise<number> {
    const from = performance.now()
    while (performance.now() - from < PATIENCE_MS) {
      if (await isSo()) return (performance.now() - from) / 1000
      await pause(LOOK_MS)
    }
    throw new Error(`${what}: not in ${PATIENCE_MS / 1000} s`)
  }

  return {
    down,

    heading(place) {
      const arrived = serving.begin(place)
      return () => void setTimeout(arrived, 2 * LOOK_MS)
    },

    mayHaveMetTrouble(from, to, envelope) {
      if (envelope !== undefined) {
        return down.overlaps(from, to, placeOfRealm.get(realmOf(envelope)))
      }
      return backends.some(({ place }) => down.overlaps(from, to, place) && serving.overlaps(from - LOOK_MS, to, place))
    },

    untilAnswering: (place) =>
      within(`${place} answers again`, async () => {
        const { status } = await client.send('POST', 'decrypt', { ciphertext_blob: samples.get(place) })
        return status === 200
      }),

    async untilHealthy() {
      await within('every backend is healthy', isHealthy)
    },

    stop: () => clearInterval(timer),
  }
}

function realmOf(envelope: string): string {
  return Buffer.from(envelope, 'base64').toString('hex', 7, 23)
}
