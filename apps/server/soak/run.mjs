import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const { values } = parseArgs({
  options: {
    reconfigurations: { type: 'string', default: '200' },
    bad: { type: 'string', default: '10000' },
    clients: { type: 'string', default: '6' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
})

await import('../build.mjs')
// Two folders below the root, like the tools it brings along, which find files by their own place.
const outfile = fileURLToPath(new URL('../../../tools/.cache/soak-server.mjs', import.meta.url))
await build({
  entryPoints: [fileURLToPath(new URL('./rewire.ts', import.meta.url))],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['@kms/source'],
  logLevel: 'warning',
})
const { rewire } = await import(outfile)
rmSync(outfile)
const passed = await rewire({
  server: fileURLToPath(new URL('../dist/kms-server.mjs', import.meta.url)),
  reconfigurations: Number(values.reconfigurations),
  bad: Number(values.bad),
  clients: Number(values.clients),
  seed: Number(values.seed),
})
process.exitCode = passed ? 0 : 1
