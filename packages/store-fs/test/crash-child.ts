import { writeSync } from 'node:fs'
import { openFsObjectStore } from '../src/fs-object-store.ts'
import { step } from './workload.ts'

// Runs in a process of its own: [directory, identity, writers, first step, number of steps]. Writes a line for each step
// that was acknowledged, so that whoever finds it dead knows what must be there.
const [directory = '', identity = '', writers = '', first = '', count = ''] = process.argv.slice(2)
const store = await openFsObjectStore({ directory, owner: { identity, isGone: async () => false } })
writeSync(1, 'opened\n')
await Promise.all(
  writers.split(',').map(async (writer) => {
    for (let index = Number(first); index < Number(first) + Number(count); index++) {
      const { key, seed } = await step(store, writer, index)
      writeSync(1, `${key} ${seed ?? '-'} ${index}\n`)
    }
  }),
)
await store.close()
writeSync(1, 'closed\n')
