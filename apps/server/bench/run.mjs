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
const here = (path) => fileURLToPath(new URL(path, import.meta.url))

await import('../build.mjs')
const outfile = here('../.cache/bench.mjs')
await build({
  entryPoints: [here('./compare.ts')],
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
  server: here('../dist/kms-server.mjs'),
  echo: here('./echo-server.mjs'),
  rounds: Number(values.rounds),
  requestsPerRound: Number(values.requests),
  connections: Number(values.connections),
})
