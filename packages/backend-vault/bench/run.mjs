import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    requests: { type: 'string', default: '400' },
    concurrency: { type: 'string', default: '16' },
  },
})

const outfile = fileURLToPath(new URL('../.cache/bench.mjs', import.meta.url))
await build({
  entryPoints: [fileURLToPath(new URL('./compare.ts', import.meta.url))],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['@kms/source'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'\nconst require = __createRequire(import.meta.url)",
  },
  define: { 'import.meta.url': JSON.stringify(new URL('../../../tools/openbao/prepare.ts', import.meta.url)) },
  logLevel: 'warning',
})
const { compare } = await import(outfile)
rmSync(outfile)
await compare({
  rounds: Number(values.rounds),
  requestsPerRound: Number(values.requests),
  concurrency: Number(values.concurrency),
})
