import { type ConditionTest, conditionOperators } from './condition-operators.ts'
import type { Facts } from './facts.ts'
import { policyError } from './policy-error.ts'

/** One operator applied to one key. All conditions of a statement must hold. */
export type Condition =
  | { readonly kind: 'null'; readonly key: string; readonly wanted: ReadonlySet<boolean> }
  | {
      readonly kind: 'compare'
      readonly key: string
      readonly set: 'all' | 'any' | undefined
      readonly ifExists: boolean
      readonly negated: boolean
      readonly tests: readonly ConditionTest[]
    }

const OPERATOR = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/

/** Prepares `Condition[operator][key]`; throws a PolicyError at `path`. */
export function parseCondition(
  operator: string,
  key: string,
  values: readonly string[],
  options: { readonly path: string; readonly variables: boolean },
): Condition {
  const folded = key.toLowerCase()
  if (operator === 'Null') {
    const wanted = values.map((value) => value.toLowerCase())
    if (!wanted.every((value) => value === 'true' || value === 'false')) {
      throw policyError(options.path, 'must be "true" (the key is missing) or "false" (it is there)')
    }
    return { kind: 'null', key: folded, wanted: new Set(wanted.map((value) => value === 'true')) }
  }
  const [, set, name = '', ifExists] = OPERATOR.exec(operator) ?? []
  const compare = conditionOperators.get(name)
  if (compare === undefined) {
    throw policyError(
      options.path,
      name === 'Null'
        ? 'can only use Null without a set operator and without IfExists'
        : 'does not use a condition operator; see "Condition operators" in the AWS IAM user guide',
    )
  }
  return {
    kind: 'compare',
    key: folded,
    set: set === undefined ? undefined : set === 'ForAllValues' ? 'all' : 'any',
    ifExists: ifExists !== undefined,
    negated: compare.negated,
    tests: values.map((value) => compare.compile(value, options)),
  }
}

/**
 * Whether a condition holds. Sources: the AWS pages "Condition operators" (a missing key makes an operator false, a
 * negated one true, `…IfExists` true) and "Single-valued vs. multivalued context keys" (`ForAllValues` is true and
 * `ForAnyValue` false for a missing key and for a null data set such as an empty string).
 *
 * AWS leaves open what an operator without a set prefix does with several request values: here a positive operator
 * holds when any of them matches, a negated one when none does.
 */
export function conditionHolds(condition: Condition, facts: Facts): boolean {
  const values = facts(condition.key)
  if (condition.kind === 'null') return condition.wanted.has(isNullDataSet(values))
  if (values === undefined) return condition.ifExists || (condition.set ? condition.set === 'all' : condition.negated)
  if (condition.set !== undefined && isNullDataSet(values)) return condition.set === 'all'
  const holds = (value: string): boolean => condition.tests.some((test) => test(value, facts)) !== condition.negated
  const every = condition.set === undefined ? condition.negated : condition.set === 'all'
  return every ? values.every(holds) : values.some(holds)
}

function isNullDataSet(values: readonly string[] | undefined): boolean {
  return values === undefined || values.every((value) => value === '')
}
