import type { ConfigValue } from './driver.ts'
import { isJsonObject } from './json.ts'
import { Secret } from './secret.ts'

/** One changed field; secrets show as `***`. */
export interface ConfigChange {
  /** Dotted path of the field. */
  readonly path: string
  readonly from?: unknown
  readonly to?: unknown
}

/** The differences between two documents, by path. Secrets are compared in constant time and never shown. */
export function diffConfig(
  from: Readonly<Record<string, ConfigValue | undefined>>,
  to: Readonly<Record<string, ConfigValue | undefined>>,
): readonly ConfigChange[] {
  return [...changes(from, to, '')]
}

function* changes(from: unknown, to: unknown, path: string): Generator<ConfigChange> {
  if (isJsonObject(from) && isJsonObject(to)) {
    const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort()
    for (const name of names) {
      yield* changes(from[name], to[name], path === '' ? name : `${path}.${name}`)
    }
  } else if (!sameValue(from, to)) {
    yield { path, ...(from === undefined ? {} : { from: shown(from) }), ...(to === undefined ? {} : { to: shown(to) }) }
  }
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.equals(b)
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => sameValue(item, b[i]))
  return a === b
}

function shown(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
