import { appendFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './pnpm.mjs'
import { turbo } from './run.mjs'
import { listPackages } from './workspace.mjs'

/**
 * The folders' names of the packages that changed between `base` and the working tree, and of those that depend on
 * them. All of them when `base` is no commit this clone knows: testing too much is the safe mistake.
 * @param {string | undefined} base
 * @returns {Promise<string[]>}
 */
export async function affectedPackages(base) {
  const all = listPackages()
  const everything = all.map(({ id }) => id)
  if (!base || /^0+$/.test(base)) return everything
  const { code, output } = await turbo(['query', 'affected', '--packages', '--base', base])
  const json = output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1)
  if (code !== 0 || json === '') return everything
  /** @type {{ data: { affectedPackages: { items: { name: string }[] } } }} */
  const answer = JSON.parse(json)
  const names = new Set(answer.data.affectedPackages.items.map(({ name }) => name))
  return all.filter(({ manifest }) => names.has(manifest.name)).map(({ id }) => id)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensureInstalled()
  const line = `packages=${JSON.stringify(await affectedPackages(process.argv[2]))}`
  console.log(line)
  const output = process.env['GITHUB_OUTPUT']
  if (output) appendFileSync(output, `${line}\n`)
}
