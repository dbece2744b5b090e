import { diffConfig } from './compare.ts'
import type { BackendDriver, ConfigDocument, ConfigValue } from './driver.ts'

/** The fields of a configuration that name the root key of its store. */
export type RootKeyFields = Readonly<Record<string, ConfigValue>>

/** What a configuration says of the root key; empty where it names none. */
export function rootKeyOf(config: ConfigDocument, { rootKeyFields = [] }: BackendDriver): RootKeyFields {
  const named = rootKeyFields.flatMap((field) => {
    const value = config[field]
    return value === undefined ? [] : [[field, value] as const]
  })
  return Object.fromEntries(named)
}

/** A configuration with another root key. */
export function withRootKey(
  config: ConfigDocument,
  { rootKeyFields = [] }: BackendDriver,
  fields: RootKeyFields,
): ConfigDocument {
  const others = Object.entries(config).filter(([field]) => !rootKeyFields.includes(field))
  return { ...Object.fromEntries(others), ...fields } as ConfigDocument
}

export function namesSameRootKey(a: ConfigDocument, b: ConfigDocument, driver: BackendDriver): boolean {
  return diffConfig(rootKeyOf(a, driver), rootKeyOf(b, driver)).length === 0
}
