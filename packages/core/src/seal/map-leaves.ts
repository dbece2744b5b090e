import { isJsonObject } from '../config/json.ts'
import { isSealedValue } from './sealed-value.ts'

/**
 * Rebuilds a JSON value with every leaf, and every sealed value, passed through `change` together with its JSON pointer
 * (RFC 6901). Members that are `undefined` are left out.
 */
export function mapLeaves(
  value: unknown,
  pointer: string,
  change: (value: unknown, pointer: string) => unknown,
): unknown {
  if (Array.isArray(value)) return value.map((item, i) => mapLeaves(item, `${pointer}/${i}`, change))
  if (!isJsonObject(value) || isSealedValue(value)) return change(value, pointer)
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [
        name,
        mapLeaves(member, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, change),
      ]),
  )
}
