import { chmodSync, copyFileSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, stop } from 'esbuild'

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const outfile = fileURLToPath(new URL('./dist/kms-server.mjs', import.meta.url))

/** The native part of lmdb, for the platform this runs on: the builds that work with every Node, one for each C library. */
const lmdb = createRequire(
  createRequire(new URL('../../packages/store-fs/package.json', import.meta.url)).resolve('lmdb'),
)
const natives = dirname(lmdb.resolve(`@lmdb/lmdb-${process.platform}-${process.arch}`))
const addons = readdirSync(natives).filter((name) => /^node\.napi.*\.node$/.test(name))
const addonName = (/** @type {string} */ name) =>
  `lmdb-${process.platform}-${process.arch}${name.slice('node.napi'.length)}`

/** lmdb looks for its native part among installed packages; in the bundle it lies beside it. @type {import('esbuild').Plugin} */
const nativeLmdb = {
  name: 'native-lmdb',
  setup(bundle) {
    bundle.onResolve({ filter: /^node-gyp-build-optional-packages$/ }, () => ({
      path: 'addon',
      namespace: 'native-lmdb',
    }))
    bundle.onLoad({ filter: /.*/, namespace: 'native-lmdb' }, () => ({
      contents: `
        import { createRequire } from 'node:module'
        const load = createRequire(import.meta.url)
        export default () => {
          let problem
          for (const name of ${JSON.stringify(addons.map(addonName))}) {
            try { return load('./' + name) } catch (error) { problem ??= error }
          }
          throw problem
        }`,
      loader: 'js',
    }))
  },
}

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
  define: { KMS_SERVER_VERSION: JSON.stringify(version) },
  plugins: [nativeLmdb],
  sourcemap: 'external',
  legalComments: 'eof',
  logLevel: 'warning',
})
// `npm start` goes on in this process: nothing of the build stays with the server.
await stop()
chmodSync(outfile, 0o755)
for (const name of addons) {
  const target = join(dirname(outfile), addonName(name))
  // Written over in place it would end every server that runs from it.
  copyFileSync(join(natives, name), `${target}.new`)
  renameSync(`${target}.new`, target)
}
