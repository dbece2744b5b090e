import { findOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { type RewireSoakReport, soakRewiring } from './rewire-soak.ts'

/** Contract of a run: swaps may cost this much of the steady 99th percentile of the same run. */
const MAX_P99_RATIO = 3

/** Numbers of the command line, by their names there. */
export interface SoakOptions extends Readonly<Record<'reconfigurations' | 'bad' | 'clients' | 'seed', number>> {
  /** The built server. */
  readonly server: string
}

/** Rewires under load, prints what it showed, and says whether it may pass. */
export async function rewire({ server, reconfigurations, bad, clients, seed }: SoakOptions): Promise<boolean> {
  const found = findOpenBao()
  if ('missing' in found) console.log(`between directories only: ${found.missing}`)
  const report = await soakRewiring({
    server,
    vaultProgram: 'program' in found ? found.program : undefined,
    reconfigurations,
    badConfigurations: bad,
    clients,
    seed,
    log: (line) => console.log(`  ${line}`),
  })
  return print(report)
}

function print(report: RewireSoakReport): boolean {
  const { requests, steadyP99 = Number.NaN, swapP99 = Number.NaN } = report
  const total = requests.generate + requests.encrypt + requests.decrypt
  const ratio = swapP99 / steadyP99
  const rows: readonly (readonly [string, unknown])[] = [
    ['backends', report.backends.length],
    ['changes that took place', report.reconfigurations],
    [
      'moves',
      Object.entries(report.moves)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(', '),
    ],
    ['restarts of a Vault', `${report.vaultRestarts}, used again within ${report.slowestRecovery.toFixed(1)} s`],
    ['returns by itself', report.automaticReturns],
    ['requests', `${total} (generate ${requests.generate}, encrypt ${requests.encrypt}, decrypt ${requests.decrypt})`],
    ['failed that met healthy backends', report.failed.length],
    ['wrong answers', report.wrong.length],
    ['failed while their backend was down', report.excused],
    ['envelopes issued, all opened at the end', `${report.envelopes}, ${report.unopened.length} not opened`],
    ['p99 steady', `${steadyP99.toFixed(1)} ms of ${report.steadyCount}`],
    ['p99 during changes', `${swapP99.toFixed(1)} ms of ${report.swapCount}`],
    ['ratio', `${ratio.toFixed(2)} (at most ${MAX_P99_RATIO})`],
    ['bad configurations', `${report.badConfigurations}, ${report.badTaken.length} taken`],
    ['seed', report.seed],
    ['time', `${report.seconds.toFixed(0)} s`],
  ]
  for (const [name, value] of rows) console.log(`${name.padEnd(42)} ${String(value)}`)
  const problems = [...report.failed, ...report.wrong, ...report.unopened, ...report.badTaken]
  for (const problem of problems.slice(0, 20)) console.log(`  ! ${problem.slice(0, 400)}`)
  return problems.length === 0 && ratio <= MAX_P99_RATIO
}
