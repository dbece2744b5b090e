import { readFileSync, writeFileSync } from 'node:fs'
import { createObjectClient } from './object-client.ts'
import { OBJECT_MODES } from './object-modes.ts'
import { soakBody, soakHash } from './soak-bytes.ts'
import type { SoakRandom } from './soak-random.ts'
import type { SoakServer } from './soak-server.ts'

const OBJECTS = 30

export interface IndexFlipsReport {
  readonly flips: number
  /** Objects that were refused, over all flips. */
  readonly refused: number
  /** Flips with which the server did not start, or ended. */
  readonly ended: number
  /** Encrypted objects that came back as something else. */
  readonly wrong: readonly string[]
}

export interface IndexFlipsOptions {
  readonly start: () => Promise<SoakServer>
  /** The file of the database; nobody has it open between two servers. */
  readonly index: string
  readonly flips: number
  readonly random: SoakRandom
}

/**
 * Flips one bit of the database's file at a time, anywhere, and reads everything: an object may be refused, or the server may
 * not even start, but nothing comes back as what it is not.
 */
export async function flipTheIndex({ start, index, flips, random }: IndexFlipsOptions): Promise<IndexFlipsReport> {
  const modes = OBJECT_MODES.filter(({ name }) => name !== 'plain')
  const objects = Array.from({ length: OBJECTS }, (_, i) => ({
    path: `/soak/flips/${i}`,
    size: i * 4000,
    mode: modes[i % modes.length] as (typeof modes)[number],
  }))
  const writing = await start()
  const writer = createObjectClient(writing.url)
  for (const { path, size, mode } of objects) {
    await writer.ok('PUT', path, { headers: mode.write, body: soakBody(path, 0, size) })
  }
  writer.forgetConnections()
  await writing.stop()

  const good = readFileSync(index)
  const used = [...good.keys()].filter((at) => good[at] !== 0)
  let [refused, ended] = [0, 0]
  const wrong: string[] = []
  try {
    for (let flip = 0; flip < flips; flip++) {
      const at = random.pick(used)
      const bit = 1 << random.below(8)
      const bad = Uint8Array.from(good)
      bad[at] = (bad[at] as number) ^ bit
      writeFileSync(index, bad)
      const server = await start().catch(() => undefined)
      if (server === undefined) {
        ended += 1
        continue
      }
      const client = createObjectClient(server.url)
      try {
        for (const { path, size, mode } of objects) {
          const got = await client.send('GET', path, { headers: mode.read })
          if (got.status !== 200) refused += 1
          else if (got.sha256 !== soakHash(path, 0, size)) wrong.push(`${path} with bit ${bit} of byte ${at} flipped`)
        }
      } catch {
        ended += 1
      }
      client.forgetConnections()
      await server.kill()
    }
  } finally {
    writeFileSync(index, good)
  }
  const last = await start()
  const remover = createObjectClient(last.url)
  for (const { path } of objects) await remover.ok('DELETE', path)
  remover.forgetConnections()
  await last.stop()
  return { flips, refused, ended, wrong }
}
