/** A JSON object whose members are not known yet. */
export type JsonObject = { readonly [name: string]: unknown }

/** Whether `value` is a plain JSON object: not null, not an array, not an instance of a class such as `Secret`. */
export function isJsonObject(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The value at `path`, or `undefined`. Own members only. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let current = value
  for (const name of path) {
    if (!isJsonObject(current) || !Object.hasOwn(current, name)) return undefined
    current = current[name]
  }
  return current
}

/** A copy of `value` with `replacement` at `path` (`undefined` removes the member); parents are made as needed. */
export function withValueAt(value: JsonObject, path: readonly string[], replacement: unknown): JsonObject {
  const [name, ...rest] = path
  if (name === undefined) return value
  const copy: Record<string, unknown> = { ...value }
  if (rest.length > 0) {
    const child = copy[name]
    if (!isJsonObject(child) && replacement === undefined) return value
    copy[name] = withValueAt(isJsonObject(child) ? child : {}, rest, replacement)
  } else if (replacement === undefined) delete copy[name]
  else copy[name] = replacement
  return copy
}
