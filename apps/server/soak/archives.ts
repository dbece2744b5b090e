import { type ArchivesSoakReport, soakArchives } from './archives-soak.ts'

/** Numbers of the command line, by their names there. */
export interface ArchivesOptions extends Readonly<Record<'keys' | 'kills' | 'seed', number>> {
  /** The built server. */
  readonly server: string
}

/** Backs up and restores, prints what it showed, and says whether it may pass. */
export async function archives(options: ArchivesOptions): Promise<boolean> {
  return print(await soakArchives({ ...options, log: (line) => console.log(`  ${line}`) }))
}

function print(report: ArchivesSoakReport): boolean {
  const { memory, bytes, backupSeconds, restoreSeconds, kills, cutOff, happened, broken, problems } = report
  const rows: readonly (readonly [string, unknown])[] = [
    ['archive', `${(bytes / 1024).toFixed(0)} KiB in ${backupSeconds.toFixed(1)} s`],
    ['restored into an empty place', `in ${restoreSeconds.toFixed(1)} s`],
    ['memory of the server', `${memory.idle.toFixed(0)} MiB before`],
    ['  with the backup, with the restore', `${memory.backup.toFixed(0)}, ${memory.restore.toFixed(0)} MiB`],
    ['kills', kills],
    ['restores cut off', `${cutOff}, of which ${happened} had happened`],
    ['backups cut off, and refused', broken],
    ['problems', problems.length],
    ['seed', report.seed],
    ['time', `${report.seconds.toFixed(0)} s`],
  ]
  for (const [name, value] of rows) console.log(`${name.padEnd(42)} ${String(value)}`)
  for (const problem of problems.slice(0, 20)) console.log(`  ! ${problem}`)
  return problems.length === 0
}
