import { join } from 'node:path'
import { build } from 'esbuild'

/** Makes a program of `<name>.ts` beside this file: one file that needs nothing. */
export async function buildChild(name: string, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`)
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@kms/source'],
  })
  return outfile
}
