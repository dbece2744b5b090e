import { writeSync } from 'node:fs'
import { installFileSystemFaults } from './fs-faults.ts'
import { acts } from './rewire-acts.ts'
import { boot } from './service.ts'

// Runs in a process of its own: [home, name of the act, step to die at; 0: live]. Says when it is done, so that whoever
// finds it dead knows how far it came.
const [home = '', name = '', step = ''] = process.argv.slice(2)
const faults = await installFileSystemFaults()
const { manager } = await boot(home)
if (step !== '0') faults.arm(Number(step), 'kill')
await acts.find((act) => act.name === name)?.run(manager, home)
writeSync(1, 'done\n')
process.exit(0)
