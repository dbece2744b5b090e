import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createDueSchedule } from './due-schedule.ts'

describe('a schedule', () => {
  it('gives what is due, earliest first, once', () => {
    const schedule = createDueSchedule()
    schedule.set('c', 30)
    schedule.set('a', 10)
    schedule.set('b', 20)
    expect(schedule.next()).toBe(10)
    expect(schedule.take(9)).toEqual([])
    expect(schedule.take(20)).toEqual(['a', 'b'])
    expect(schedule.take(20)).toEqual([])
    expect(schedule.next()).toBe(30)
    schedule.set('c', undefined)
    expect(schedule.next()).toBeUndefined()
  })

  it('is what a list of times is, whatever happens to it', () => {
    const step = fc.oneof(
      fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), at: fc.option(fc.nat(20), { nil: undefined }) }),
      fc.record({ now: fc.nat(20) }),
      fc.constant('clear' as const),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const schedule = createDueSchedule()
        const model = new Map<string, number>()
        for (const each of steps) {
          if (each === 'clear') {
            schedule.clear()
            model.clear()
          } else if ('now' in each) {
            const due = [...model].filter(([, at]) => at <= each.now)
            expect([...schedule.take(each.now)].sort()).toEqual(due.map(([name]) => name).sort())
            for (const [name] of due) model.delete(name)
          } else {
            schedule.set(each.name, each.at)
            if (each.at === undefined) model.delete(each.name)
            else model.set(each.name, each.at)
          }
          // Too early only costs a look.
          if (model.size === 0) expect(schedule.next()).toBeUndefined()
          else expect(schedule.next()).toBeLessThanOrEqual(Math.min(...model.values()))
        }
      }),
    )
  })
})
