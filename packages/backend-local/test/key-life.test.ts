import { type Clock, systemClock } from '@kms/core'
import { describeKeyLife } from '@kms/core/testing'
import { scratchStore } from './scratch-store.ts'

const slow = process.env['SLOW'] === '1'

describeKeyLife(
  'local',
  async () => {
    const scratch = await scratchStore()
    return {
      async open({ now }) {
        // Records are dated by the clock of the test; waiting for the lock of the store takes real time.
        const clock: Clock = { now, after: systemClock.after }
        return (await scratch.open({}, { clock })).backend
      },
      cleanup: () => scratch.cleanup(),
    }
  },
  { runs: slow ? 200 : 10, length: 40, timeoutMs: slow ? 1_800_000 : 120_000 },
)
