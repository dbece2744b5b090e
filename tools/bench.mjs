import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureInstalled } from './pnpm.mjs'
import { root } from './workspace.mjs'

ensureInstalled()
const bench = join(root, 'apps', 'server', 'bench', 'run.mjs')
process.exitCode = spawnSync(process.execPath, [bench, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1
