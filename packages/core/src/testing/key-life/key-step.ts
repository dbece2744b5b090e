import fc from 'fast-check'

/** What may be done with keys, by names that may be ids, aliases, or nobody's. */
export type KeyStep =
  | { readonly type: 'create' | 'import'; readonly name: string }
  | { readonly type: 'rotate' | 'enable' | 'disable' | 'cancel'; readonly target: string }
  | { readonly type: 'describe'; readonly target: string; readonly description: string }
  | { readonly type: 'tag'; readonly target: string; readonly tag: string; readonly value: string }
  | { readonly type: 'untag'; readonly target: string; readonly tag: string }
  | { readonly type: 'add alias' | 'remove alias'; readonly target: string; readonly alias: string }
  | { readonly type: 'schedule'; readonly target: string; readonly days: number | undefined }
  | { readonly type: 'destroy'; readonly target: string; readonly confirm: string }
  | { readonly type: 'period'; readonly target: string; readonly days: number | null }

/** A step of one of two servers of a store, or something that happens to both. */
export type LifeStep =
  | { readonly type: 'do'; readonly server: 0 | 1; readonly step: KeyStep }
  /** At the same time. */
  | { readonly type: 'both'; readonly steps: readonly [KeyStep, KeyStep] }
  | { readonly type: 'wrap'; readonly server: 0 | 1; readonly target: string }
  | { readonly type: 'wait'; readonly hours: number }
  | { readonly type: 'restart'; readonly server: 0 | 1 }

/** The default key of both servers; it is there from the start. */
export const DEFAULT_KEY = 'main'

/** Every id a key may get: few, so that they meet. */
export const IDS: readonly ['a', 'b', 'c', 'main', 'x'] = ['a', 'b', 'c', DEFAULT_KEY, 'x']

const target = fc.constantFrom(...IDS, 'a', 'b', 'y')
const alias = fc.constantFrom('x', 'y', 'a')
const tag = fc.constantFrom('t', '__proto__')

const anyStep: fc.Arbitrary<KeyStep> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('create' as const), name: fc.constantFrom(...IDS) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('import' as const), name: fc.constantFrom('a', 'b') }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('rotate' as const), target }) },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constantFrom('enable' as const, 'disable' as const, 'cancel' as const), target }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('describe' as const), target, description: fc.constantFrom('', 'd') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('tag' as const), target, tag, value: fc.constantFrom('1', '2') }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('untag' as const), target, tag }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constantFrom('add alias' as const, 'remove alias' as const), target, alias }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('schedule' as const),
      target,
      days: fc.constantFrom(undefined, undefined, 7, 30),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('destroy' as const), target, confirm: fc.constantFrom(...IDS) }),
  },
)

const periodStep: fc.Arbitrary<KeyStep> = fc.record({
  type: fc.constant('period' as const),
  target,
  days: fc.constantFrom(null, 1, 10),
})

const server = fc.constantFrom(0 as const, 1 as const)

/** Lives of keys, of at most `maxLength` steps, with or without rotation periods. */
export function lifeSteps(
  maxLength: number,
  { periods }: { readonly periods: boolean },
): fc.Arbitrary<readonly LifeStep[]> {
  const keyStep = periods ? fc.oneof({ weight: 8, arbitrary: anyStep }, { weight: 1, arbitrary: periodStep }) : anyStep
  const step: fc.Arbitrary<LifeStep> = fc.oneof(
    { weight: 12, arbitrary: fc.record({ type: fc.constant('do' as const), server, step: keyStep }) },
    {
      weight: 5,
      arbitrary: fc.record({ type: fc.constant('both' as const), steps: fc.tuple(keyStep, keyStep) }),
    },
    { weight: 5, arbitrary: fc.record({ type: fc.constant('wrap' as const), server, target }) },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('wait' as const),
        hours: fc.constantFrom(1, 6, 24, 7 * 24 - 1, 7 * 24, 10 * 24, 30 * 24),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const), server }) },
  )
  return fc.array(step, { minLength: 1, maxLength, size: 'max' })
}
