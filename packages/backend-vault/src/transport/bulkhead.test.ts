import { createManualClock, type ManualClock } from '@kms/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Bulkhead, createBulkhead } from './bulkhead.ts'
import { createOperations, type Operations } from './operation.ts'

describe('createBulkhead', () => {
  let clock: ManualClock
  let operations: Operations
  let bulkhead: Bulkhead
  let underWay: (() => void)[]
  let most: number
  beforeEach(() => {
    clock = createManualClock(0)
    operations = createOperations({ clock, timeoutSeconds: 10, place: 'https://v' })
    bulkhead = createBulkhead({ slots: 2, queue: 3, place: 'https://v' })
    underWay = []
    most = 0
  })

  /** A request that ends when `finish` is called. */
  const enter = (): Promise<unknown> =>
    operations
      .run((operation) =>
        bulkhead.run(
          operation,
          () =>
            new Promise<string>((resolve) => {
              underWay.push(() => resolve('ok'))
              most = Math.max(most, underWay.length)
            }),
        ),
      )
      .catch((error: { code: string }) => error.code)
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }
  const finish = async (): Promise<void> => {
    underWay.shift()?.()
    await settle()
  }

  it('lets so many in, has so many wait, and refuses the rest', async () => {
    const work = Array.from({ length: 7 }, enter)
    await settle()
    expect(underWay.length).toBe(2)
    expect(await Promise.all(work.slice(5))).toEqual(['BackendUnavailable', 'BackendUnavailable'])
    for (let i = 0; i < 5; i++) await finish()
    expect(await Promise.all(work.slice(0, 5))).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
    expect(most).toBe(2)
    const later = [enter(), enter()]
    await settle()
    expect(underWay.length).toBe(2)
    await finish()
    await finish()
    await Promise.all(later)
  })

  it('gives nobody a slot whose time is up, and loses none', async () => {
    const first = [enter(), enter()]
    await settle()
    const waiting = [enter(), enter()]
    clock.advance(10_000)
    expect(await Promise.all(waiting)).toEqual(['BackendTimeout', 'BackendTimeout'])
    await finish()
    await finish()
    expect(await Promise.all(first)).toEqual(['ok', 'ok'])
    const later = [enter(), enter(), enter()]
    await settle()
    expect(underWay.length).toBe(2)
    for (let i = 0; i < 3; i++) await finish()
    expect(await Promise.all(later)).toEqual(['ok', 'ok', 'ok'])
  })
})
