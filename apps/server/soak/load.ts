import { randomBytes } from 'node:crypto'
import { createLatencies, type Latencies } from './latencies.ts'
import { createSoakClient, type SoakReply } from './soak-client.ts'
import type { SoakRandom } from './soak-random.ts'
import type { Timeline } from './timeline.ts'

/** An envelope, and what it has to open to (base64). */
export interface Issued {
  readonly ciphertext: string
  readonly plaintext: string
}

/** What became of the requests of all clients. */
export interface LoadFigures {
  readonly requests: Readonly<Record<'generate' | 'encrypt' | 'decrypt', number>>
  /** Failed although every backend they may have needed was healthy; what is told of the first ones. */
  readonly failed: readonly string[]
  /** Opened to something else than was wrapped. */
  readonly wrong: readonly string[]
  /** Failed while a backend they may have needed did not answer. */
  readonly excused: number
  /** While nothing was changed. */
  readonly steady: Latencies
  /** While a change was under way. */
  readonly duringSwaps: Latencies
}

export interface Load {
  readonly issued: readonly Issued[]
  readonly figures: LoadFigures
  /** Resolves when every client has ended its last request. */
  stop(): Promise<void>
}

export interface LoadOptions {
  readonly url: string
  readonly clients: number
  readonly random: SoakRandom
  /** Changes of the configuration. */
  readonly swaps: Timeline
  /** Whether a request may have met a backend that did not answer; `undefined` envelope: it wraps. */
  readonly mayHaveMetTrouble: (from: number, to: number, envelope: string | undefined) => boolean
}

/** Each client waits this long between requests, so that the machine is not measured instead of the service. */
const THINK_MS = 4

/** A steady mix of generate, encrypt and decrypt, from several clients, each answer looked at. */
export function startLoad({ url, clients, random, swaps, mayHaveMetTrouble }: LoadOptions): Load {
  const issued: Issued[] = []
  const requests = { generate: 0, encrypt: 0, decrypt: 0 }
  const failed: string[] = []
  const wrong: string[] = []
  let excused = 0
  const steady = createLatencies()
  const duringSwaps = createLatencies()
  const stopping = new AbortController()

  async function drive(): Promise<void> {
    const client = createSoakClient(url)
    while (!stopping.signal.aborted) {
      await oneRequest(client.send)
      await new Promise((resolve) => setTimeout(resolve, THINK_MS))
    }
    client.close()
  }

  async function oneRequest(send: (method: string, path: string, body: unknown) => Promise<SoakReply>): Promise<void> {
    const dice = issued.length === 0 ? 0 : random.fraction()
    const operation = dice < 0.4 ? 'generate' : dice < 0.5 ? 'encrypt' : 'decrypt'
    const context = { encryption_context: { purpose: 'soak' } }
    const known = operation === 'decrypt' ? random.pick(issued) : undefined
    const plaintext = operation === 'encrypt' ? randomBytes(1 + random.below(200)).toString('base64') : undefined
    const body = known === undefined ? { ...context, plaintext } : { ...context, ciphertext_blob: known.ciphertext }
    const path = operation === 'generate' ? 'generate-data-key' : operation
    const from = performance.now()
    let reply: SoakReply
    try {
      reply = await send('POST', path, body)
    } catch (error) {
      reply = { status: 0, body: { message: (error as Error).message } }
    }
    const to = performance.now()
    requests[operation]++
    if (reply.status !== 200) {
      if (mayHaveMetTrouble(from, to, known?.ciphertext)) excused++
      else failed.push(`${operation}: ${reply.status} ${JSON.stringify(reply.body)}`)
      return
    }
    ;(swaps.overlaps(from, to) ? duringSwaps : steady).add(to - from)
    const got = reply.body
    if (known !== undefined) {
      if (got['plaintext'] !== known.plaintext) wrong.push(known.ciphertext)
      return
    }
    const wrapped = (plaintext ?? got['plaintext_key']) as string
    issued.push({ ciphertext: got['ciphertext_blob'] as string, plaintext: wrapped })
  }

  const driven = Promise.all(Array.from({ length: clients }, drive))
  return {
    issued,
    figures: {
      requests,
      failed,
      wrong,
      get excused() {
        return excused
      },
      steady,
      duringSwaps,
    },
    async stop() {
      stopping.abort()
      await driven
    },
  }
}
