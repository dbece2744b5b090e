import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    requests: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '32' },
  },
})

await import('../build.mjs')
const outfile = fileURLToPath(new URL('../.cache/bench.mjs', import.meta.url))
await build({
  entryPoints: [fileURLToPath(new URL('./compare.ts', import.meta.url))],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['@kms/source'],
  logLevel: 'warning',
})
const { compare } = await import(outfile)
rmSync(outfile)
await compare({
  server: fileURLToPath(new URL('../dist/kms-server.mjs', import.meta.url)),
  echo: fileURLToPath(new URL('./echo-server.mjs', import.meta.url)),
  rounds: Number(values.rounds),
  requestsPerRound: Number(values.requests),
  connections: Number(values.connections),
})
