import { type ObjectsSoakReport, soakObjects } from './objects-soak.ts'

/** What the server may take, in MiB: at most at all with one body under way, and for each one more. */
const MAX_MEMORY = 200
const MAX_PER_STREAM = 4

/** Numbers of the command line, by their names there. */
export interface ObjectsOptions
  extends Readonly<Record<'each' | 'largest' | 'streams' | 'kills' | 'flips' | 'seed', number>> {
  /** The built server. */
  readonly server: string
}

/** Loads the S3 side, prints what it showed, and says whether it may pass. */
export async function objects(options: ObjectsOptions): Promise<boolean> {
  return print(await soakObjects({ ...options, log: (line) => console.log(`  ${line}`) }))
}

function print({ transfers, rude, crashes, flipped, orphans, keyDeletion, seed, seconds }: ObjectsSoakReport): boolean {
  const peak = Math.max(...transfers.flatMap(({ upPeak, downPeak }) => [upPeak, downPeak]))
  const { perUpload, perDownload, perHeldUpload, perHeldDownload } = rude
  const streams = {
    upload: perUpload,
    download: perDownload,
    'held upload': perHeldUpload,
    'held download': perHeldDownload,
  }
  const { put, delete: deleted, complete, abort } = crashes.acknowledged
  const rows: readonly (readonly [string, unknown])[] = [
    ['bodies sent, read and compared', transfers.length],
    ['memory of the server with one under way', `${peak.toFixed(0)} MiB (at most ${MAX_MEMORY})`],
    ...Object.entries(streams).map(
      ([name, cost]) => [`  for each ${name} more`, `${cost.toFixed(2)} MiB (at most ${MAX_PER_STREAM})`] as const,
    ),
    [
      'clients that went away',
      `${rude.streams * 2}; descriptors left: ${rude.descriptorsLeft}, files: ${rude.filesLeft}`,
    ],
    ['kills', crashes.kills],
    ['acknowledged', `${put} puts, ${deleted} deletes, ${complete} completed and ${abort} aborted uploads`],
    ['cut off', `${crashes.cutOff}, of which ${crashes.happened} had happened`],
    ['lost', crashes.lost.length],
    [
      'bits of the index flipped',
      `${flipped.flips}; objects refused: ${flipped.refused}, servers ended: ${flipped.ended}, wrong bytes: ${flipped.wrong.length}`,
    ],
    ['files left when all was deleted', orphans],
    ['deletion of the key after that', keyDeletion],
    ['seed', seed],
    ['time', `${seconds.toFixed(0)} s`],
  ]
  for (const [name, value] of rows) console.log(`${name.padEnd(42)} ${String(value)}`)
  for (const problem of [...crashes.lost, ...flipped.wrong].slice(0, 20)) console.log(`  ! ${problem}`)
  const nothingLeft = [crashes.lost.length, flipped.wrong.length, orphans, rude.descriptorsLeft, rude.filesLeft].every(
    (left) => left === 0,
  )
  const small = peak <= MAX_MEMORY && Object.values(streams).every((cost) => cost <= MAX_PER_STREAM)
  return nothingLeft && small && keyDeletion === 200
}
