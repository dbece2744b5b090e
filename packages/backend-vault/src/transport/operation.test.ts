import { createManualClock, type ManualClock } from '@kms/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { createOperations, type Operations } from './operation.ts'

describe('createOperations', () => {
  let clock: ManualClock
  let operations: Operations
  beforeEach(() => {
    clock = createManualClock(0)
    operations = createOperations({ clock, timeoutSeconds: 10, place: 'https://v' })
  })

  const never = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
    })
  const codeOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'ok',
      (error: { code?: string; message: string }) => error.code ?? error.message,
    )

  it('passes on what the work returns and throws', async () => {
    expect(await operations.run(async () => 7)).toBe(7)
    await expect(operations.run(() => Promise.reject(new Error('x')))).rejects.toThrow('x')
    expect(await operations.run((operation) => operation.attempt(1000, async () => 7))).toBe(7)
  })

  it('cuts an attempt off after its own time, and goes on', async () => {
    const running = operations.run(async (operation) => {
      const first = await codeOf(operation.attempt(3000, never))
      return [first, operation.remaining(), await operation.attempt(3000, async () => 'second')]
    })
    clock.advance(3000)
    expect(await running).toEqual(['aborted', 7000, 'second'])
  })

  it('never lets an attempt go beyond the deadline, and says BackendTimeout', async () => {
    const running = codeOf(operations.run((operation) => operation.attempt(60_000, never)))
    clock.advance(10_000)
    expect(await running).toBe('BackendTimeout')
  })

  it('starts nothing after the deadline', async () => {
    const running = codeOf(
      operations.run(async (operation) => {
        await codeOf(operation.attempt(60_000, never))
        return operation.attempt(1000, async () => expect.fail('it was started'))
      }),
    )
    clock.advance(10_000)
    expect(await running).toBe('BackendTimeout')
  })

  it('sleeps, within the deadline', async () => {
    const running = codeOf(
      operations.run(async (operation) => {
        await operation.sleep(4000)
        expect(operation.remaining()).toBe(6000)
        await operation.sleep(60_000)
      }),
    )
    clock.advance(4000)
    await Promise.resolve()
    await Promise.resolve()
    await Promise.resolve()
    clock.advance(6000)
    expect(await running).toBe('BackendTimeout')
  })

  it('ends everything when it is closed, and begins nothing', async () => {
    const running = [
      codeOf(operations.run((operation) => operation.attempt(5000, never))),
      codeOf(operations.run((operation) => operation.sleep(5000))),
    ]
    operations.close()
    expect(await Promise.all(running)).toEqual(['BackendUnavailable', 'BackendUnavailable'])
    expect(await codeOf(operations.run(async () => 7))).toBe('BackendUnavailable')
  })

  it('ends early, with the reason of the signal it was given', async () => {
    const controller = new AbortController()
    const reason = new Error('nobody waits')
    const running = codeOf(operations.run((operation) => operation.attempt(5000, never), controller.signal))
    controller.abort(reason)
    expect(await running).toBe('nobody waits')
    expect(await codeOf(operations.run(async () => 7, controller.signal))).toBe('nobody waits')
  })
})
