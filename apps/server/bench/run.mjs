import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    requests: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '32' },
    only: { type: 'string' },
  },
})

await import('../build.mjs')
const folder = new URL('../.cache/', import.meta.url)
await build({
  entryPoints: [new URL('./compare.ts', import.meta.url), new URL('./objects.ts', import.meta.url)].map(fileURLToPath),
  outdir: fileURLToPath(folder),
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['@kms/source'],
  logLevel: 'warning',
})
const { compare } = await import(new URL('compare.mjs', folder).href)
const { compareObjects } = await import(new URL('objects.mjs', folder).href)
for (const name of ['compare.mjs', 'objects.mjs']) rmSync(new URL(name, folder))
const server = fileURLToPath(new URL('../dist/kms-server.mjs', import.meta.url))
if (values.only !== 'objects') {
  await compare({
    server,
    echo: fileURLToPath(new URL('./echo-server.mjs', import.meta.url)),
    rounds: Number(values.rounds),
    requestsPerRound: Number(values.requests),
    connections: Number(values.connections),
  })
}
if (values.only !== 'calls') await compareObjects({ server, rounds: Number(values.rounds) })
