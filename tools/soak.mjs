import { spawnSync } from 'node:child_process'
import { ensureInstalled } from './pnpm.mjs'
import { listPackages } from './workspace.mjs'

/**
 * Runs the `soak` script of every package and app that has one, one after the other: minutes each, and never part of
 * `npm test`. `--package=<folder>` picks one; what else is given is passed on.
 */
const given = process.argv.slice(2)
const wanted = given.find((argument) => argument.startsWith('--package='))?.slice('--package='.length)
const rest = given.filter((argument) => !argument.startsWith('--package='))
ensureInstalled()
const all = listPackages().filter(({ manifest }) => manifest.scripts?.['soak'])
const chosen = all.filter(({ id }) => wanted === undefined || id === wanted)
if (chosen.length === 0) {
  console.error(`There is no soak of ${wanted}. There are: ${all.map(({ id }) => id).join(', ')}`)
  process.exit(1)
}
for (const { id, dir } of chosen) {
  console.log(`soak ${id}`)
  const { status } = spawnSync('npm', ['run', 'soak', '--silent', '--', ...rest], { cwd: dir, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
