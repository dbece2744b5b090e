import { chmodSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const outfile = fileURLToPath(new URL('./dist/kmsctl.mjs', import.meta.url))

await build({
  entryPoints: [fileURLToPath(new URL('./src/main.ts', import.meta.url))],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['@kms/source'],
  // Dependencies in CommonJS ask for Node's own modules with `require`.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module'\nconst require = __createRequire(import.meta.url)",
  },
  define: { KMSCTL_VERSION: JSON.stringify(version) },
  sourcemap: 'external',
  legalComments: 'eof',
  logLevel: 'warning',
})
chmodSync(outfile, 0o755)
