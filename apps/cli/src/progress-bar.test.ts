import { expect, it } from 'vitest'
import { createTestIo } from '../test/test-io.ts'
import { createProgressBar } from './progress-bar.ts'

it('draws over one line of a terminal, and nothing elsewhere', () => {
  for (const interactive of [true, false]) {
    const { io, said } = createTestIo({ interactive })
    const bar = createProgressBar(2, io)
    bar.step()
    bar.step()
    bar.end()
    const line = (filled: number, done: number) => `\r[${'#'.repeat(filled)}${'.'.repeat(30 - filled)}] ${done}/2`
    expect(said.err).toBe(interactive ? `${line(0, 0)}${line(15, 1)}${line(30, 2)}\n` : '')
  }
})
