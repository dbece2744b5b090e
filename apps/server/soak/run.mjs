import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const { values } = parseArgs({
  options: {
    /** `rewire`, `objects` or `archives`; all unless given. */
    only: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    reconfigurations: { type: 'string', default: '200' },
    bad: { type: 'string', default: '10000' },
    clients: { type: 'string', default: '6' },
    /** Sizes in MiB. */
    each: { type: 'string', default: '1024' },
    largest: { type: 'string', default: '5120' },
    streams: { type: 'string', default: '33' },
    kills: { type: 'string', default: '40' },
    flips: { type: 'string', default: '40' },
    keys: { type: 'string', default: '2000' },
  },
})
const { only, ...given } = values
const numbers = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, Number(value)]))

await import('../build.mjs')
const server = fileURLToPath(new URL('../dist/kms-server.mjs', import.meta.url))
const soaks = Object.entries({
  rewire: new URL('./rewire.ts', import.meta.url),
  objects: new URL('./objects.ts', import.meta.url),
  archives: new URL('./archives.ts', import.meta.url),
})
for (const [name, entry] of soaks.filter(([each]) => only === undefined || only === each)) {
  // Two folders below the root, like the tools it brings along, which find files by their own place.
  const outfile = fileURLToPath(new URL(`../../../tools/.cache/soak-${name}.mjs`, import.meta.url))
  await build({
    entryPoints: [fileURLToPath(entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@kms/source'],
    logLevel: 'warning',
  })
  const soak = await import(outfile)
  rmSync(outfile)
  console.log(name)
  if (!(await soak[name]({ server, ...numbers }))) process.exitCode = 1
}
