import { writeSync } from 'node:fs'
import { Secret, systemClock, systemRandom } from '@kms/core'
import { localDriver } from '../src/local-driver.ts'
import { installFileSystemFaults } from './fs-faults.ts'
import { history } from './history.ts'

// Runs in a process of its own: [key directory, root key directory, `raw` or `generated`, first chapter, number of
// chapters, step to die at; 0: live].
// Writes a line before the first chapter and after each, so that whoever finds it dead knows how far it came.
const [keyDir = '', rootKeyDir = '', rootKey = '', first = '', count = '', step = ''] = process.argv.slice(2)
const report = (line: string): number => writeSync(1, `${line}\n`)
const faults = await installFileSystemFaults()
const driver = localDriver({ rootKeyDir, environment: () => undefined, policy: { forbiddenDirs: [] } })
const open = () =>
  driver.open(
    {
      backend_type: 'local',
      timeout_seconds: 30,
      retry_attempts: 3,
      enable_cache: true,
      max_cached_keys: 1000,
      cache_ttl_seconds: 300,
      allow_offline_decryption: false,
      key_dir: keyDir,
      ...(rootKey === 'generated' ? {} : { master_key: new Secret(Buffer.alloc(32, 7).toString('base64')) }),
      file_permissions: 0o600,
    },
    { clock: systemClock, random: systemRandom, mayInitialise: true, signal: new AbortController().signal },
  )
// An empty part of the history is the making of the store itself.
if (count === '0') faults.arm(Number(step), 'kill')
const { backend } = await open()
if (count !== '0') faults.arm(Number(step), 'kill')
report('opened')
for (const chapter of history.slice(Number(first), Number(first) + Number(count))) {
  await chapter.run(backend)
  report(`done ${faults.steps}`)
}
report(`all ${faults.steps}`)
